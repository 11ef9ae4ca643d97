package system

import (
	"strings"

	"github.com/oklog/ulid/v2"

	"milepost/console"
	"milepost/internal/quotes/quotestore"
)

// Seam tells a console what it has to know of this system, whose pages are at an address such as
// http://127.0.0.1:8080/app.
func Seam(web string) console.Seam {
	return console.Seam{
		What: "quote", Log: "EventsTableName", Bus: "EventBusName", Annotation: "quote_id",
		Stream: func(id string) (string, bool) {
			_, err := ulid.ParseStrict(id)
			return quotestore.StreamID(strings.ToUpper(id)), err == nil
		},
		ID: func(name string) (string, bool) {
			if id, ok := quotestore.QuoteID(name); ok {
				name = id
			}
			if len(name) < ulid.EncodedSize {
				return "", false
			}
			_, err := ulid.ParseStrict(name[:ulid.EncodedSize])
			return name[:ulid.EncodedSize], err == nil
		},
		Link: func(id string) string { return web + "/quotes/" + id },
	}
}
