package e2e_test

import (
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// withoutKey removes the key of a customer with sealed quotes, checks that the customer gets no other, and puts it
// back. No function may hold the key in memory.
func (s *running) withoutKey(customer string) {
	s.t.Helper()
	key := stored.Item{"customerId": stored.Text(customer)}
	out, err := s.db.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(keysTable), Key: key, ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil || out.Attributes["dataKey"] == nil {
		s.t.Fatalf("%v, error %v", out, err)
	}
	token := s.token(customer, "quotes")
	draft := func() response {
		return s.call(token, "PUT", "/drafts/01KXAMPE0000000000000000DR", `{"step":"a","request":{}}`, "If-None-Match", "*")
	}
	for what, answer := range map[string]response{"submission": s.call(token, "POST", "/quotes", example()), "draft": draft()} {
		if answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), "/problems/key-missing") {
			s.t.Errorf("a %s without the key: %d %s", what, answer.Status, answer.Body)
		}
	}
	if there, err := s.db.GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: aws.String(keysTable), Key: key}); err != nil || there.Item != nil {
		s.t.Errorf("another key was made: %v, error %v", there, err)
	}
	if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(keysTable), Item: out.Attributes}); err != nil {
		s.t.Fatal(err)
	}
	if answer := draft(); answer.Status != http.StatusCreated {
		s.t.Errorf("a draft with the key: %d %s", answer.Status, answer.Body)
	}
}
