package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"milepost/system"
)

// TestManyPagesAreOpen opens as many pages of different customers as MANY_PAGES says, such as 10000, and says what they cost:
// memory, the time to connect, and how long after a change the bell of one rings among all.
func TestManyPagesAreOpen(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MANY_PAGES"))
	if err != nil {
		t.Skip("it takes a while: set MANY_PAGES to a number of pages, such as 10000")
	}
	s := mustRun(t, system.Options{})
	dial := s.sockets()
	memory := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc+m.StackInuse) / (1 << 20)
	}
	before, began := memory(), time.Now()
	pages := make([]*websocket.Conn, n)
	for i := range n {
		c, status := dial(s.ticket(customer(fmt.Sprint("customer-", i))))
		if status != 101 {
			t.Fatalf("page %d: %d", i, status)
		}
		pages[i] = c
		defer func() { _ = c.CloseNow() }()
		if err := c.Write(t.Context(), websocket.MessageText, []byte(`{"action":"follow","topics":["customer"]}`)); err != nil {
			t.Fatal(err)
		}
		if _, text, err := c.Read(t.Context()); err != nil || !strings.Contains(string(text), "following") {
			t.Fatalf("page %d: %s %v", i, text, err)
		}
	}
	connected, after := time.Since(began), memory()
	if open := s.Sockets().Open(); open != n {
		t.Fatalf("%d pages are open", open)
	}
	const rings = 50
	delays := make([]time.Duration, rings)
	for i := range rings {
		who := i * (n - 1) / (rings - 1)
		token := s.token(fmt.Sprint("customer-", who), "quotes")
		began := time.Now()
		if answer := s.call(token, "POST", "/quotes", example("RS000001", fmt.Sprintf("RS%06d", 100+i), "NA000101", fmt.Sprintf("NA%06d", 101+i))); answer.Status != 202 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, text, err := pages[who].Read(ctx)
		cancel()
		var bell struct{ QuoteID string }
		if err != nil || json.Unmarshal(text, &bell) != nil || bell.QuoteID == "" {
			t.Fatalf("page %d: %s %v", who, text, err)
		}
		delays[i] = time.Since(began)
	}
	slices.Sort(delays)
	t.Logf("%d pages: %.0f KB each, %.2f ms to connect each; a bell after the request: median %v, slowest %v",
		n, (after-before)*1024/float64(n), float64(connected.Milliseconds())/float64(n), delays[rings/2].Round(time.Millisecond), delays[rings-1].Round(time.Millisecond))
}
