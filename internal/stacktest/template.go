package stacktest

import (
	"path/filepath"
	"testing"

	"milepost/domain/quote/quotetest"
	"milepost/local/template"
)

// LinkKey signs the links in messages to customers.
const LinkKey = "0123456789abcdef0123456789abcdef"

// parameters are values for all parameters of template.yaml that have no default.
func parameters() map[string]string {
	return map[string]string{
		"TokenIssuer": "http://issuer.internal", "AccidentHistoryUrl": "https://bureau.internal", "AccidentHistoryKey": "key",
		"MailDomain": "quotes.internal", "LinkBaseUrl": "http://quotes.internal/q", "LinkKey": LinkKey, "SessionKey": LinkKey,
	}
}

// Template is template.yaml as a stack named milepost would have it, for tests that read it and run nothing.
func Template(tb testing.TB) *template.Template {
	tb.Helper()
	path := filepath.Join(quotetest.Root(tb), "template.yaml")
	loaded, err := template.Load(path, template.Options{StackName: "milepost", Parameters: parameters()})
	if err != nil {
		tb.Fatal(err)
	}
	return loaded
}
