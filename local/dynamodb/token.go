package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// tokenLife is how long a ClientRequestToken is remembered.
const tokenLife = 10 * time.Minute

// clientTokens remembers the transactions that were made with a ClientRequestToken.
type clientTokens struct {
	mu      sync.Mutex
	byName  map[string]*clientToken
	inOrder []*clientToken // the finished ones, the oldest first
}

// clientToken identifies one transaction. A nil token, of a transaction without one, is forgotten at once.
type clientToken struct {
	name     string
	request  [sha256.Size]byte
	finished time.Time // zero while the transaction runs
	outdated []string  // names that are forgotten with its commit
}

func (ts *clientTokens) init() { ts.byName = map[string]*clientToken{} }

// begin starts a transaction. It reports whether it was made before.
func (ts *clientTokens) begin(name, request string) (t *clientToken, repeated bool, err error) {
	if name == "" {
		return nil, false, nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	outdated := ts.forget(time.Now())
	t = &clientToken{name: name, request: sha256.Sum256([]byte(request)), outdated: outdated}
	switch before := ts.byName[name]; {
	case before == nil:
		t.name = strings.Clone(name)
		ts.byName[t.name] = t
		return t, false, nil
	case before.request != t.request:
		err = awsapi.Errorf("IdempotentParameterMismatchException", "The provided token was used before with another request")
	case before.finished.IsZero():
		err = awsapi.Errorf("TransactionInProgressException", "The transaction with the given request token is already in progress.")
	}
	return nil, err == nil, err
}

// forget drops the tokens whose time is over and names them.
func (ts *clientTokens) forget(now time.Time) []string {
	var names []string
	n := 0
	for ; n < len(ts.inOrder) && now.Sub(ts.inOrder[n].finished) >= tokenLife; n++ {
		delete(ts.byName, ts.inOrder[n].name)
		names = append(names, ts.inOrder[n].name)
	}
	clear(ts.inOrder[:n])
	ts.inOrder = ts.inOrder[n:]
	return names
}

// end notes that a transaction was made, or forgets that it was tried.
func (ts *clientTokens) end(t *clientToken, made bool) {
	if t == nil {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if !made {
		delete(ts.byName, t.name)
		return
	}
	t.finished, t.outdated = time.Now(), nil
	ts.inOrder = append(ts.inOrder, t)
}

// ops stores the token with the transaction's changes.
func (t *clientToken) ops(now time.Time) []storage.Op {
	if t == nil {
		return nil
	}
	stored := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
	ops := make([]storage.Op, 0, len(t.outdated)+1)
	for _, name := range t.outdated {
		ops = append(ops, storage.Op{Bucket: tokenBucket, Key: []byte(name)})
	}
	return append(ops, storage.Op{Bucket: tokenBucket, Key: []byte(t.name), Value: append(stored, t.request[:]...)})
}

// load reads the stored tokens back.
func (ts *clientTokens) load(store *storage.Store) error {
	err := store.Each(tokenBucket, func(key, stored []byte) error {
		if len(stored) != 8+sha256.Size {
			return fmt.Errorf("broken transaction token %q", key)
		}
		t := &clientToken{name: string(key), finished: time.Unix(0, int64(binary.BigEndian.Uint64(stored)))}
		copy(t.request[:], stored[8:])
		ts.byName[t.name] = t
		ts.inOrder = append(ts.inOrder, t)
		return nil
	})
	slices.SortFunc(ts.inOrder, func(a, b *clientToken) int { return a.finished.Compare(b.finished) })
	return err
}
