package submit

import "testing"

// TestTheIDOfAKeyStaysTheSame checks the id that a key leads to: a request that is repeated after a deployment must
// find the earlier quote.
func TestTheIDOfAKeyStaysTheSame(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ customer, key, want string }{
		{"ada", "key-1", "32VE7QV9E7RW3WZPHZKV1G5XDD"}, {"ad", "akey-1", "26BVKYN74WTE5A6T5605P2SN2H"},
		{"ada", "key-2", "51SHJYBYS3X3TG90E84GH7RZ36"},
	} {
		if got := QuoteID(row.customer, row.key); got != row.want {
			t.Errorf("%s %s: %s, want %s", row.customer, row.key, got, row.want)
		}
	}
}
