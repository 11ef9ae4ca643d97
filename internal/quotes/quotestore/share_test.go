package quotestore_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"testing"

	"milepost/domain/accident"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/quotes/quotestore"
)

// TestAnswersOfTheLargestShareAreStored: as many answers as an event may have to store, each with the largest reply
// that is said to fit, of texts that can be compressed or cannot.
func TestAnswersOfTheLargestShareAreStored(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	texts := map[string]string{
		"noise": base64.StdEncoding.EncodeToString(noise), "words": strings.Repeat("<a \"report\"> & more\n", 60_000),
	}
	n := 0
	for _, drivers := range []int{1, 2, 16, 20} {
		for kind, text := range texts {
			n++
			e := quotetest.MustExample(t, "E01")
			d := e.Request.Drivers[0]
			e.Request.Drivers = nil
			for i := range drivers {
				d.DriverID, d.LicenseNumber = fmt.Sprintf("driver-%013d", i), fmt.Sprintf("RS%06d", i)
				e.Request.Drivers = append(e.Request.Drivers, d)
			}
			c := e.Histories()
			for i := range c.Drivers {
				for range accident.MaxIncidents {
					c.Drivers[i].Reviews = append(c.Drivers[i].Reviews, accident.Review{IncidentID: strings.Repeat("i", 20), Reason: accident.Disputed})
				}
			}
			fits := func(i, length int) bool {
				a := c.Answers[i]
				from := i * 37_000 % len(text) // another part for each, so that they do not compress each other
				a.Reply = (text[from:] + text[:from])[:length]
				ok, err := quotestore.Fit(&a, c.Drivers[i], drivers)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					c.Answers[i].Reply = a.Reply
				} else if a.Reply != "" || a.ReplyHash == "" || a.Unavailable != quote.TooLarge {
					t.Fatalf("an answer that does not fit is %+v", a)
				}
				return ok
			}
			largest := sort.Search(len(text), func(length int) bool { return !fits(0, length) }) - 1
			for i := range c.Answers {
				if length := largest - 100*min(i, 1); length < 10_000 || !fits(i, length) {
					t.Fatalf("%d drivers, %s: %d bytes do not fit", drivers, kind, length)
				}
			}
			mustCreate(t, s, e, quoteID(n))
			mustExecute(t, s, quoteID(n), order(fmt.Sprint("h", n), c))
			events := mustLoad(t, s, quoteID(n)).Events
			got := quotetest.AnswersIn(t, quote.Versioned{Type: events[1].Type, Version: events[1].SchemaVersion}, events[1].Data)
			if !reflect.DeepEqual(got, c.Answers) {
				t.Errorf("%d drivers, %s: the answers are not what was stored", drivers, kind)
			}
		}
	}
}
