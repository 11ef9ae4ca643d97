package session

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestASignInLeadsNowhereElse: wherever a link to the sign-in wants to lead, it leads within the pages.
func TestASignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for wanted, want := range map[string]string{
		"/app": "/app", "/app/quotes": "/app/quotes", "/app/desk?age=2&q=a%2Fb": "/app/desk?age=2&q=a%2Fb",
		"": Root, "/": Root, "/quotes": Root, "/application": Root, "app/quotes": Root,
		"//evil.example/app": Root, "https://evil.example/app": Root, "javascript:alert(1)": Root, "/\\evil.example": Root,
		"/app/../quotes": Root, "/app/..//evil.example": Root, "/app//evil.example": Root, "/app/a\nb": Root,
		SignInPath: Root, CallbackPath + "?code=a": Root, SignOutPath: Root, "/app/" + strings.Repeat("a", maxTarget): Root,
	} {
		if got := Target(wanted); got != want {
			t.Errorf("%q leads to %q, want %q", wanted, got, want)
		}
	}
}

// TestClaimsGiveScopes: an issuer names what a person may do in one of four claims, as a list or a text.
func TestClaimsGiveScopes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`{}`:                                            {"quotes"},
		`{"groups":["gardeners"]}`:                      {"quotes"},
		`{"groups":7,"scope":{"staff":true}}`:           {"quotes"},
		`{"scope":"openid staff"}`:                      {"staff"},
		`{"scp":["quotes","broker"]}`:                   {"quotes", "broker"},
		`{"cognito:groups":["senior"]}`:                 {"staff", "senior"},
		`{"groups":["support","staff"]}`:                {"staff", "support"},
		`{"groups":["quotes"],"scope":"staff","a":"b"}`: {"quotes", "staff"},
	} {
		var c claims
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.scopes(); !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", text, got, want)
		}
	}
}

// TestABoxOpensOnlyWhatItSealed: no other text, purpose, owner or key.
func TestABoxOpensOnlyWhatItSealed(t *testing.T) {
	t.Parallel()
	mustBox := func(purpose string, keys ...string) box {
		all := make([][]byte, len(keys))
		for i, k := range keys {
			all[i] = []byte(strings.Repeat(k, minKey))
		}
		b, err := newBox(all, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := mustBox("cookie", "a")
	sealed, err := b.seal("ada", "owner")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		box         box
		text, owner string
		opens       bool
	}{
		"as it is":         {b, sealed, "owner", true},
		"the key before":   {mustBox("cookie", "b", "a"), sealed, "owner", true},
		"another key":      {mustBox("cookie", "b"), sealed, "owner", false},
		"another purpose":  {mustBox("table", "a"), sealed, "owner", false},
		"another owner":    {b, sealed, "other", false},
		"cut":              {b, sealed[:len(sealed)-4], "owner", false},
		"cut to nothing":   {b, "", "owner", false},
		"longer":           {b, sealed + "AAAA", "owner", false},
		"no base64":        {b, "?" + sealed[1:], "owner", false},
		"begins otherwise": {b, strings.Repeat("A", 8) + sealed[8:], "owner", false},
	} {
		var got string
		if err := row.box.open(row.text, row.owner, &got); (err == nil) != row.opens || (got == "ada") != row.opens {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := newBox([][]byte{[]byte("short")}, "cookie"); err == nil {
		t.Error("a short key seals")
	}
}
