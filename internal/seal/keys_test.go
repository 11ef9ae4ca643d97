package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"milepost/internal/seal"
	"milepost/internal/stacktest"
)

// counted counts calls by their operations.
type counted struct {
	aws.HTTPClient
	mu    sync.Mutex
	calls map[string]int
}

func (c *counted) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c.mu.Lock()
	c.calls[operation]++
	c.mu.Unlock()
	return c.HTTPClient.Do(r)
}

// process is Keys as another process would have them, with the calls that they make.
func process(stack *stacktest.Stack) (*seal.Keys, *counted) {
	cfg := stack.Config()
	c := &counted{HTTPClient: cfg.HTTPClient, calls: map[string]int{}}
	cfg.HTTPClient = c
	return &seal.Keys{
		DB: dynamodb.NewFromConfig(cfg), KMS: kms.NewFromConfig(cfg),
		Table: "milepost-customer-keys", WrappingKey: "alias/milepost-customer-keys",
	}, c
}

func (c *counted) assert(t *testing.T, when string, want map[string]int) {
	t.Helper()
	if fmt.Sprint(c.calls) != fmt.Sprint(want) {
		t.Errorf("%s: calls %v, want %v", when, c.calls, want)
	}
}

var aad, secret = []byte("quote-1\nevent-1"), []byte(`{"/name":"Ada Lovelace"}`)

func mustMake(t *testing.T, k *seal.Keys, customer string) {
	t.Helper()
	if err := k.Make(t.Context(), customer); err != nil {
		t.Fatal(err)
	}
}

func mustSeal(t *testing.T, k *seal.Keys, customer string) []byte {
	t.Helper()
	sealed, err := k.Seal(t.Context(), customer, aad, secret)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func assertOpens(t *testing.T, k *seal.Keys, customer string, sealed []byte) {
	t.Helper()
	if opened, err := k.Open(t.Context(), customer, aad, sealed); err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("opened %s, error %v", opened, err)
	}
}

func TestWhatIsSealedOpensForItsCustomerAndItsEvent(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	k, _ := process(stack)
	mustMake(t, k, "ada")
	mustMake(t, k, "bob")
	sealed := mustSeal(t, k, "ada")
	if bytes.Contains(sealed, []byte("Ada")) || bytes.Equal(sealed, mustSeal(t, k, "ada")) {
		t.Error("it can be read, or compared")
	}
	other, _ := process(stack)
	assertOpens(t, other, "ada", sealed)
	changed := bytes.Clone(sealed)
	changed[20] ^= 1
	for what, try := range map[string]func() ([]byte, error){
		"another customer's key": func() ([]byte, error) { return k.Open(t.Context(), "bob", aad, sealed) },
		"another event":          func() ([]byte, error) { return k.Open(t.Context(), "ada", []byte("quote-1\nevent-2"), sealed) },
		"a change":               func() ([]byte, error) { return k.Open(t.Context(), "ada", aad, changed) },
		"too little":             func() ([]byte, error) { return k.Open(t.Context(), "ada", aad, sealed[:5]) },
	} {
		if opened, err := try(); err == nil || opened != nil || strings.Contains(err.Error(), "Ada") {
			t.Errorf("%s: opened %s, error %v", what, opened, err)
		}
	}
	_, err := k.Seal(t.Context(), "carl", aad, secret)
	if _, ok := errors.AsType[*seal.NoKey](err); !ok {
		t.Errorf("error=%v for a customer without a key, want *NoKey", err)
	}
}

func TestAKeyIsReadOnceAndNeverAskedForAgain(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	first, calls := process(stack)
	mustMake(t, first, "ada")
	calls.assert(t, "the customer's first quote", map[string]int{"GetItem": 1, "GenerateDataKey": 1, "PutItem": 1})
	sealed := mustSeal(t, first, "ada")
	mustMake(t, first, "ada")
	assertOpens(t, first, "ada", sealed)
	calls.assert(t, "all that follows", map[string]int{"GetItem": 1, "GenerateDataKey": 1, "PutItem": 1})
	second, calls := process(stack)
	for range 3 {
		mustMake(t, second, "ada")
		assertOpens(t, second, "ada", sealed)
	}
	calls.assert(t, "another process", map[string]int{"GetItem": 1, "Decrypt": 1})
}

func TestOfManyWhoMakeAKeyAllHaveTheSame(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	var processes []*seal.Keys
	for range 10 {
		k, _ := process(stack)
		processes = append(processes, k)
	}
	var wg sync.WaitGroup
	for _, k := range processes {
		wg.Go(func() {
			if err := k.Make(t.Context(), "ada"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sealed := mustSeal(t, processes[0], "ada")
	for _, k := range processes {
		assertOpens(t, k, "ada", sealed)
	}
}

func TestAnErasedKeyIsForgottenInTimeAndNeverMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := stacktest.Open(t, nil)
		k, _ := process(stack)
		mustMake(t, k, "ada")
		sealed := mustSeal(t, k, "ada")
		time.Sleep(seal.Lifetime - time.Second)
		assertOpens(t, k, "ada", sealed) // using a key does not keep it
		office, _ := process(stack)
		if _, err := office.Erase(t.Context(), seal.Erasure{CustomerID: "ada", At: time.Now().UTC(), ReasonCode: "CUSTOMER_REQUEST"}); err == nil {
			t.Error("a key was erased by nobody")
		}
		assertOpens(t, k, "ada", sealed)
		want := seal.Erasure{CustomerID: "ada", At: time.Now().UTC(), By: "eve", ReasonCode: "CUSTOMER_REQUEST"}
		if got, err := office.Erase(t.Context(), want); err != nil || got != want {
			t.Fatalf("%+v, error %v", got, err)
		}
		assertOpens(t, k, "ada", sealed)
		time.Sleep(time.Second)
		for what, try := range map[string]func() error{
			"open": func() error { _, err := k.Open(t.Context(), "ada", aad, sealed); return err },
			"seal": func() error { _, err := k.Seal(t.Context(), "ada", aad, secret); return err },
			"make": func() error { return k.Make(t.Context(), "ada") },
		} {
			if erased, ok := errors.AsType[*seal.Erased](try()); !ok || erased.Erasure != want {
				t.Errorf("%s: %+v, want *Erased with %+v", what, erased, want)
			}
		}
		again := want
		again.By, again.At = "mallory", want.At.Add(time.Hour)
		if got, err := office.Erase(t.Context(), again); err != nil || got != want {
			t.Errorf("erased again: %+v, error %v, want the first %+v", got, err, want)
		}
		for customer, want := range map[string]seal.State{"ada": {Erasure: &want}, "bob": {}} {
			if got, err := office.State(t.Context(), customer); err != nil || (got.Erasure == nil) != (want.Erasure == nil) || got.Exists {
				t.Errorf("%s: %+v, error %v", customer, got, err)
			}
		}
	})
}
