package system_test

import (
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// damage puts something else in the place of an attribute of an item, or nothing with nil.
func (s *running) damage(table string, item map[string]types.AttributeValue, attribute string, by types.AttributeValue) {
	s.t.Helper()
	damaged := maps.Clone(item)
	if damaged[attribute] = by; by == nil {
		delete(damaged, attribute)
	}
	s.putItem(table, damaged)
}

func (s *running) putItem(table string, item map[string]types.AttributeValue) {
	s.t.Helper()
	if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		s.t.Fatal(err)
	}
}
