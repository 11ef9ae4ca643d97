package commands_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/handlers/commands"
	"milepost/internal/quotes/readmodel"
)

// TestAnAcceptanceRecordsWhatWasSigned: E14 is a quote in Texas without personal injury protection.
func TestAnAcceptanceRecordsWhatWasSigned(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustQuote(t, quoteID(1), daysAgo(t, "E14", 0).Commands()...)
	form := readmodel.Project(d.mustHistory(t, quoteID(1))).At(time.Now()).Rejections
	if len(form) != 1 || form[0].Code != "TX_PIP" || form[0].Text == "" || form[0].SignedAt != nil {
		t.Fatalf("Rejections=%+v, want the one of Texas", form)
	}
	body := func(change func(*commands.Signature)) string {
		s := commands.Signature{Code: form[0].Code, Version: form[0].Version, Text: form[0].Text, Signature: "Philippa Wintergreen"}
		change(&s)
		return mustBody(t, commands.Acceptance{Rejections: []commands.Signature{s}})
	}
	whole := body(func(*commands.Signature) {})
	from := func(r *events.APIGatewayV2HTTPRequest) { r.RequestContext.HTTP.SourceIP = "192.0.2.7" }
	for name, row := range map[string]struct {
		body    string
		change  func(*events.APIGatewayV2HTTPRequest)
		status  int
		pointer string
	}{
		"without a signature":       {"", from, 422, "/rejections"},
		"with an empty body":        {"{}", from, 422, "/rejections"},
		"of other words":            {body(func(s *commands.Signature) { s.Text += "." }), from, 422, "/rejections/0/text"},
		"of another version":        {body(func(s *commands.Signature) { s.Version = "2025.1" }), from, 422, "/rejections/0/version"},
		"signed with a dot":         {body(func(s *commands.Signature) { s.Signature = "." }), from, 422, "/rejections/0/signature"},
		"of another form":           {body(func(s *commands.Signature) { s.Code = "PA_UM" }), from, 422, "/rejections/0"},
		"with a time of the sender": {strings.Replace(whole, `{"code"`, `{"signedAt":"2026-05-01T00:00:00Z","code"`, 1), from, 422, "/rejections/0"},
		"signed by an employee":     {whole, as("eve", "staff"), 403, ""},
		"of a version that passed":  {whole, header("if-match", `"3"`), 412, ""},
	} {
		got := d.send(t, request(accept, quoteID(1), row.body, row.change))
		if got.StatusCode != row.status || !strings.Contains(got.Body, `"pointer":"`+row.pointer+`"`) && row.pointer != "" {
			t.Errorf("%s: %d %s, want %d at %s", name, got.StatusCode, got.Body, row.status, row.pointer)
		}
	}
	if h := d.mustHistory(t, quoteID(1)); len(h.Events) != 4 {
		t.Fatalf("%d events after refusals, want 4", len(h.Events))
	}
	got := d.send(t, request(accept, quoteID(1), whole, from))
	if got.StatusCode != 200 || !strings.Contains(got.Body, `"signedAt":`) || strings.Contains(got.Body, "Philippa") {
		t.Fatalf("%d %s", got.StatusCode, got.Body)
	}
	h := d.mustHistory(t, quoteID(1))
	last := h.Events[len(h.Events)-1]
	var event quote.QuoteAccepted
	if err := json.Unmarshal(last.Data, &event); err != nil || len(event.Rejections) != 1 {
		t.Fatalf("%s, error %v", last.Data, err)
	}
	if r := event.Rejections[0]; r.Text != form[0].Text || r.Signature != "Philippa Wintergreen" || r.SourceIP != "192.0.2.7" || r.Coverage != "PIP" ||
		!r.SignedAt.Equal(last.OccurredAt) {
		t.Errorf("%+v was recorded", r)
	}
	for _, personal := range []string{"Philippa", "192.0.2.7"} {
		if strings.Contains(string(last.Stored), personal) {
			t.Errorf("%s is in the log unsealed: %s", personal, last.Stored)
		}
	}
}

func TestAnAcceptanceThatNeedsNoSignatureTakesNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustQuote(t, quoteID(1), daysAgo(t, "E01", 0).Commands()...)
	superfluous := `{"rejections":[{"code":"TX_PIP","version":"2026.1-draft","text":"x","signature":"Ada"}]}`
	if got := d.send(t, request(accept, quoteID(1), superfluous)); got.StatusCode != 422 || !strings.Contains(got.Body, `"pointer":"/rejections/0"`) {
		t.Errorf("%d %s", got.StatusCode, got.Body)
	}
	if got := d.send(t, request(accept, quoteID(1), `{"rejections":[]}`)); got.StatusCode != 200 || strings.Contains(got.Body, "rejections") {
		t.Errorf("%d %s", got.StatusCode, got.Body)
	}
}
