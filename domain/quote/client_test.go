package quote_test

import (
	"testing"

	"milepost/domain/quote"
)

func TestClientsBelongToOneAgency(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ agency, client, id string }{
		{"lakeside", "jane-doe", "client:lakeside:jane-doe"}, {"a1", "J.D_2", "client:a1:J.D_2"},
		{"", "jane", ""}, {"Lakeside", "jane", ""}, {"lake side", "jane", ""}, {"lakeside:x", "jane", ""}, {"lakeside", "", ""}, {"lakeside", "a:b", ""}, {"lakeside", "a/b", ""}, {"lakeside", "-a", ""},
	} {
		id, ok := quote.ClientID(row.agency, row.client)
		if id != row.id || ok != (row.id != "") {
			t.Errorf("%q %q: %q %v", row.agency, row.client, id, ok)
		}
		if ok && quote.AgencyOf(id) != row.agency {
			t.Errorf("%s is of %q", id, quote.AgencyOf(id))
		}
	}
	for _, other := range []string{"", "ada", "client:", "client:lakeside", "client:lakeside:", "client::jane", "client:Lakeside:jane", "auth0|client:lakeside:jane", "client:lakeside:a:b"} {
		if agency := quote.AgencyOf(other); agency != "" {
			t.Errorf("%q is of %q", other, agency)
		}
	}
}
