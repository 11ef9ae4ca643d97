package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// told has the version of each quote that an answer showed. No later answer may be older.
type told struct {
	mu       sync.Mutex
	versions map[string]int
}

// before records what was shown before a request; what it returns compares the answer with that. Nil compares nothing.
func (t *told) before(r *http.Request) func(response) error {
	if t == nil {
		return func(response) error { return nil }
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/quotes/"), "/")
	id := parts[0]
	t.mu.Lock()
	floor := t.versions[id]
	t.mu.Unlock()
	return func(answer response) error {
		if r.Method == http.MethodPost && answer.Status == http.StatusAccepted {
			var accepted struct{ QuoteID string }
			if err := json.Unmarshal(answer.Body, &accepted); err != nil {
				return err
			}
			t.tell(accepted.QuoteID, 1)
			return nil
		}
		version, err := strconv.Atoi(strings.Trim(answer.Header.Get("Etag"), `"`))
		if answer.Status != http.StatusOK || err != nil || r.URL.RawQuery != "" {
			return nil
		}
		if version < floor && r.Method == http.MethodGet && len(parts) == 1 {
			return fmt.Errorf("quote %s is shown at version %d after version %d was told", id, version, floor)
		}
		t.tell(id, version)
		return nil
	}
}

func (t *told) tell(id string, version int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.versions[id] = max(t.versions[id], version)
}
