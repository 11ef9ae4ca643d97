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

	"milepost/internal/log/seal"
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
	return stack.PartsWith(cfg).Keys(), c
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
	if err := k.Make(t.Context(), customer, nil); err != nil {
		t.Fatal(err)
	}
}

func mustSeal(t *testing.T, k *seal.Keys, customer string) seal.Sealed {
	t.Helper()
	sealed, err := k.Seal(t.Context(), customer, aad, secret)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func assertOpens(t *testing.T, k *seal.Keys, sealed seal.Sealed) {
	t.Helper()
	if opened, err := k.Unseal(t.Context(), sealed, aad); err != nil || !bytes.Equal(opened, secret) {
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
	if bytes.Contains(sealed.Text, []byte("Ada")) || bytes.Equal(sealed.Text, mustSeal(t, k, "ada").Text) {
		t.Error("it can be read, or compared")
	}
	other, _ := process(stack)
	assertOpens(t, other, sealed)
	changed, bobs, short := sealed, sealed, sealed
	changed.Text = bytes.Clone(sealed.Text)
	changed.Text[20] ^= 1
	bobs.CustomerID, bobs.KeyID = "bob", mustSeal(t, k, "bob").KeyID
	short.Text = sealed.Text[:5]
	for what, try := range map[string]func() ([]byte, error){
		"another customer's key": func() ([]byte, error) { return k.Unseal(t.Context(), bobs, aad) },
		"another event":          func() ([]byte, error) { return k.Unseal(t.Context(), sealed, []byte("quote-1\nevent-2")) },
		"a change":               func() ([]byte, error) { return k.Unseal(t.Context(), changed, aad) },
		"too little":             func() ([]byte, error) { return k.Unseal(t.Context(), short, aad) },
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
	assertOpens(t, first, sealed)
	calls.assert(t, "all that follows", map[string]int{"GetItem": 1, "GenerateDataKey": 1, "PutItem": 1})
	second, calls := process(stack)
	for range 3 {
		mustMake(t, second, "ada")
		assertOpens(t, second, sealed)
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
			if err := k.Make(t.Context(), "ada", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sealed := mustSeal(t, processes[0], "ada")
	for _, k := range processes {
		assertOpens(t, k, sealed)
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
		assertOpens(t, k, sealed) // using a key does not keep it
		office, _ := process(stack)
		if _, err := office.Erase(t.Context(), seal.Erasure{CustomerID: "ada", At: time.Now().UTC(), ReasonCode: "CUSTOMER_REQUEST"}); err == nil {
			t.Error("a key was erased by nobody")
		}
		assertOpens(t, k, sealed)
		want := seal.Erasure{CustomerID: "ada", At: time.Now().UTC(), By: "eve", ReasonCode: "CUSTOMER_REQUEST"}
		if got, err := office.Erase(t.Context(), want); err != nil || got != want {
			t.Fatalf("%+v, error %v", got, err)
		}
		assertOpens(t, k, sealed)
		time.Sleep(time.Second)
		for what, try := range map[string]func() error{
			"open": func() error { _, err := k.Unseal(t.Context(), sealed, aad); return err },
			"seal": func() error { _, err := k.Seal(t.Context(), "ada", aad, secret); return err },
			"make": func() error { return k.Make(t.Context(), "ada", nil) },
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
		for customer, want := range map[string]*seal.Erasure{"ada": &want, "bob": nil} {
			if got, err := office.Holder(t.Context(), customer); err != nil || (got.Erasure == nil) != (want == nil) || len(got.Keys) > 0 {
				t.Errorf("%s: %+v, error %v", customer, got, err)
			}
		}
	})
}
