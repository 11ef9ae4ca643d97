package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"milepost/internal/quotes/readmodel"
	"milepost/system"
)

// TestRejectionsAreSignedToAccept is the way of a customer in Texas who buys neither uninsured motorist coverage nor
// personal injury protection: the offer names the forms, the acceptance has them signed, the readers see who signed
// what, and an erasure leaves the forms without the signer.
func TestRejectionsAreSignedToAccept(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"LinkKeyBefore": linkKeyBefore}})
		ada := s.token("ada", "quotes")
		id := s.submit("ada", example(`"state": "OH"`, `"state": "TX"`, `"43215"`, `"75001"`, `, "UMBI": "100/300"`, ``))
		s.settle()
		type rejections struct {
			Status     string
			Rejections []readmodel.Rejection
		}
		read := func(token, target string) (got rejections) {
			t.Helper()
			answer := s.call(token, "GET", target, "")
			if answer.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", target, answer.Status, answer.Body)
			}
			mustDecode(t, answer.Body, &got)
			return got
		}
		link := signedOffer(t, linkKeyBefore, id, 29*24*time.Hour)
		for _, needed := range []rejections{read(ada, "/quotes/"+id), read("", link)} {
			if r := needed.Rejections; needed.Status != "QUOTED" || len(r) != 2 || r[0].Code != "TX_UM" || r[1].Code != "TX_PIP" || r[0].Text == "" {
				t.Fatalf("%+v, want an offer that needs two forms", needed)
			}
		}
		var signatures []map[string]string
		for _, r := range read(ada, "/quotes/"+id).Rejections {
			signatures = append(signatures, map[string]string{
				"code": string(r.Code), "version": r.Version, "text": r.Text, "signature": "Augusta Byron",
			})
		}
		body := mustEncode(t, map[string]any{"rejections": signatures})
		for name, refused := range map[string]response{
			"nothing signed":         s.command(ada, id, "acceptance", ""),
			"one of two signed":      s.command(ada, id, "acceptance", mustEncode(t, map[string]any{"rejections": signatures[:1]})),
			"signed by an employee":  s.command(s.token("eve", "staff"), id, "acceptance", body),
			"words that are changed": s.command(ada, id, "acceptance", strings.Replace(body, "reject", "want", 1)),
		} {
			if refused.Status != http.StatusUnprocessableEntity && refused.Status != http.StatusForbidden {
				t.Errorf("%s: %d %s", name, refused.Status, refused.Body)
			}
		}
		if v := s.change(ada, id, "acceptance", body); v.Status != "ACCEPTED" || v.Version != 5 {
			t.Fatalf("quote=%+v, want ACCEPTED", v)
		}
		s.settle()
		for who, want := range map[string]string{ada: "Augusta Byron", s.token("eve", "staff"): "Augusta Byron", "": ""} {
			target := "/quotes/" + id
			if who == "" {
				target = link
			}
			for i, r := range read(who, target).Rejections {
				if r.Signature != want || r.SignedAt == nil || r.Text != signatures[i]["text"] {
					t.Errorf("%+v, want it signed by %q", r, want)
				}
			}
		}
		audit := func() string { return string(s.call(s.token("eve", "staff"), "GET", "/quotes/"+id+"/events", "").Body) }
		for _, evidence := range []string{"Augusta Byron", mustText(t, signatures[1]["text"]), `"sourceIp":"`, `"version":"2026.1-draft"`} {
			if log := audit(); !strings.Contains(log, evidence) {
				t.Errorf("the audit log lacks %s: %s", evidence, log)
			}
		}
		if stored := fmt.Sprint(s.scan(eventsTable), s.scan(quotesTable)); strings.Contains(stored, "Augusta") {
			t.Error("a table has the signature unsealed")
		}
		s.assertSound(id)
		s.erase(chance(1).of("erasure"), "ada", id)
		s.settle()
		time.Sleep(10 * time.Minute)
		after := read(s.token("eve", "staff"), "/quotes/"+id)
		if len(after.Rejections) != 2 || after.Rejections[0].Signature != "" || after.Rejections[0].Text == "" || strings.Contains(audit(), "Augusta") {
			t.Errorf("%+v, want the forms without their signer", after)
		}
		s.assertQueuesEmpty()
	})
}

// mustText is a text as a JSON document has it, without the quotes.
func mustText(t *testing.T, text string) string {
	t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded[1 : len(encoded)-1])
}
