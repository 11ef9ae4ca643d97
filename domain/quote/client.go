package quote

import (
	"regexp"
	"strings"
)

// A client is a customer for whom the brokers of an agency quote. The id is in the agency's own namespace, so that no
// broker can act for anybody else: "client:lakeside:jane-doe" is what the agency lakeside calls jane-doe.
const clientPrefix = "client:"

var (
	agencyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	clientName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)
)

// ValidAgency reports whether a text can be the name of an agency: 1 to 40 small letters, digits and hyphens.
func ValidAgency(name string) bool { return agencyName.MatchString(name) }

// ClientID returns the customer's id of an agency's client; ok is false if the names cannot be used. A client's name has
// 1 to 80 letters, digits, dots, hyphens and underscores.
func ClientID(agency, client string) (id string, ok bool) {
	if !ValidAgency(agency) || !clientName.MatchString(client) {
		return "", false
	}
	return clientPrefix + agency + ":" + client, true
}

// IsClient reports whether a customer's id is in the namespace of clients. Nobody signs in under such an id.
func IsClient(customerID string) bool { return strings.HasPrefix(customerID, clientPrefix) }

// AgencyOf returns the agency whose client a customer is, "" if the customer is nobody's.
func AgencyOf(customerID string) string {
	rest, ok := strings.CutPrefix(customerID, clientPrefix)
	agency, client, both := strings.Cut(rest, ":")
	if id, valid := ClientID(agency, client); !ok || !both || !valid || id != customerID {
		return ""
	}
	return agency
}
