package effects

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"
)

// Record is what an event stores about a call: the question, without personal data, and the answer, word for word. The
// answer may be a consumer report and is personal data.
type Record struct {
	Party     string `json:"party"`
	Operation string `json:"operation"`
	// IDs are those of the Call.
	IDs map[string]string `json:"ids,omitempty"`
	// RequestHash is "sha256:" and the hash of the body that was sent, "" if none was. It proves the question to anyone
	// who has the request.
	RequestHash string `json:"requestHash,omitempty"`
	// AskedAt is when the call began, in UTC.
	AskedAt time.Time `json:"askedAt"`
	// DurationMS is how long the call took with all its attempts, in milliseconds.
	DurationMS int64 `json:"durationMs"`
	// Attempts counts the requests that were sent; 0 when the gateway did not get as far.
	Attempts int `json:"attempts"`
	// Status is the HTTP status of the answer, 0 if there was none.
	Status int `json:"status,omitempty"`
	// Reply is the body of the answer. One that is too large, or no text, has the ReplyHash alone, if it was
	// read to its end.
	Reply     string `json:"reply,omitempty"`
	ReplyHash string `json:"replyHash,omitempty"`
	// NoAnswer is why there was no answer, "" when there was one.
	NoAnswer Reason `json:"noAnswer,omitempty"`
}

// LogValue shows everything but the reply.
func (r Record) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("party", r.Party), slog.String("operation", r.Operation), slog.Any("ids", r.IDs),
		slog.Int("status", r.Status), slog.Int("attempts", r.Attempts), slog.Int64("duration_ms", r.DurationMS),
		slog.String("no_answer", string(r.NoAnswer)))
}

func hash(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	sum := sha256.Sum256(body)
	return text(sum[:])
}

func text(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }
