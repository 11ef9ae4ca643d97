package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// amazons is a running DynamoDB Local.
type amazons struct {
	url    string
	client http.Client
}

// startAmazons starts the DynamoDB Local whose jars are in folder. It ends with the test.
func startAmazons(t *testing.T, folder string) *amazons {
	t.Helper()
	port := freePort(t)
	log, err := os.Create(filepath.Join(t.TempDir(), "dynamodb-local.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	cmd := exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.library.path="+folder, "-Dsqlite4java.library.path="+folder, "-cp", filepath.Join(folder, "*"),
		"com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", fmt.Sprint(port))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		_ = cmd.Wait()
	})
	a := &amazons{url: fmt.Sprintf("http://127.0.0.1:%d/", port)}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := a.call("ListTables", []byte("{}")); err == nil {
			return a
		} else if time.Now().After(deadline) {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("DynamoDB Local does not answer: %v\n%s", err, said)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// call makes one call. The error is that of the connection; DynamoDB's own are in the answer.
func (a *amazons) call(operation string, body []byte) (*answer, error) {
	r, err := http.NewRequest(http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseAnswer(resp.StatusCode, text)
}

// parseAnswer reads the body of an answer in the AWS JSON protocol.
func parseAnswer(status int, text []byte) (*answer, error) {
	a := &answer{status: status}
	if status == http.StatusOK {
		return a, json.Unmarshal(text, &a.members)
	}
	var fault struct {
		Type                string `json:"__type"`
		Message             string // or "message"
		CancellationReasons []reason
		Item                any
	}
	if err := json.Unmarshal(text, &fault); err != nil {
		return nil, fmt.Errorf("status %d: %q: %w", status, text, err)
	}
	a.code, a.message, a.reasons = bare(fault.Type), fault.Message, fault.CancellationReasons
	if fault.Item != nil {
		a.members = map[string]any{"Item": fault.Item}
	}
	return a, nil
}
