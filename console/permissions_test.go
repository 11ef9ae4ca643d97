package console

import (
	"reflect"
	"testing"
)

func TestPoliciesAreReadAsIAMSendsThem(t *testing.T) {
	t.Parallel()
	for document, want := range map[string][]statement{
		`%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22a%20b%2Bc%22%7D%7D`: {
			{Policy: "p", Actions: []string{"s3:GetObject"}, Resources: []string{"a b+c"}},
		},
		`{"Statement":[{"Sid":"one","Effect":"Deny","NotAction":["a:B"],"NotResource":"*","Condition":{"Null":{}}}]}`: {
			{Policy: "p", Sid: "one", Deny: true, Conditional: true, Actions: []string{"all but a:B"}, Resources: []string{"all but *"}},
		},
	} {
		if got, err := statementsOf("p", document); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", document, got, err)
		}
	}
	for _, document := range []string{"", "%", "{}", `{"Statement":3}`, `{"Statement":[{"Action":{}}]}`} {
		if got, err := statementsOf("p", document); err == nil {
			t.Errorf("%q: %+v", document, got)
		}
	}
}
