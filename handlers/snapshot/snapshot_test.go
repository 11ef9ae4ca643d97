package snapshot_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/quote/quotetest"
	"milepost/handlers/snapshot"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

func TestASnapshotIsTakenOnceOfEachVersion(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	h, err := snapshot.New(stack.Environment("snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	log := stack.Quotes()
	commands := quotetest.MustExample(t, "E01").Commands()
	if _, err := log.Create(t.Context(), quotetest.ID, quotestore.Order{ID: "0", At: time.Now().UTC(), Command: commands[0]}); err != nil {
		t.Fatal(err)
	}
	kept := func() string {
		t.Helper()
		payload := fmt.Sprintf(`{"replay-name":"r","detail":{"streamId":%q,"version":1}}`, quotestore.StreamID(quotetest.ID))
		if _, err := h.Invoke(t.Context(), []byte(payload)); err != nil {
			t.Fatal(err)
		}
		out, err := log.Log.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("milepost-snapshots")})
		if err != nil || len(out.Items) != 1 {
			t.Fatalf("%d snapshots, error=%v", len(out.Items), err)
		}
		return fmt.Sprint(out.Items[0]["version"], out.Items[0]["state"])
	}
	first := kept()
	if again := kept(); again != first {
		t.Errorf("the same notice again makes another snapshot:\n%s\nwant\n%s", again, first)
	}
	if _, err := log.Execute(t.Context(), quotetest.ID, quotestore.Order{ID: "1", At: time.Now().UTC(), Command: commands[1]}); err != nil {
		t.Fatal(err)
	}
	if next := kept(); next == first {
		t.Error("a notice that comes late takes an old snapshot, want one of now")
	}
}

func TestANoticeOfAnotherStreamIsRefused(t *testing.T) {
	t.Parallel()
	h, err := snapshot.New(stacktest.Open(t, nil).Environment("snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]string{
		"account-1":                       `the payload cannot be read: "account-1" is not the stream of a quote`,
		quotestore.StreamID(quotetest.ID): "there is no quote " + quotetest.ID,
	} {
		if _, err := h.Invoke(t.Context(), fmt.Appendf(nil, `{"detail":{"streamId":%q}}`, stream)); err == nil || err.Error() != want {
			t.Errorf("%s: error=%v, want %s", stream, err, want)
		}
	}
}
