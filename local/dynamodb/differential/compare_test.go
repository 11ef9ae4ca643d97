package differential

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// answer is what one of the two answered.
type answer struct {
	status  int
	members map[string]any
	code    string // of the error, "" when there is none
	message string
	reasons []reason
}

// reason is why a transaction was cancelled, for one of its actions.
type reason struct {
	Code, Message string
	Item          any
}

func bare(code string) string { return code[strings.LastIndexByte(code, '#')+1:] }

func (a *answer) String() string {
	text, _ := json.Marshal(a.members)
	if a.code == "" {
		return shortened(text)
	}
	return fmt.Sprintf("%d %s: %s %v %s", a.status, a.code, a.message, a.reasons, text)
}

// difference says in what two answers differ, "" when they agree.
func difference(r request, mine, theirs *answer) string {
	switch {
	case mine.code != theirs.code:
		return fmt.Sprintf("code %q, theirs %q (%s; %s)", mine.code, theirs.code, class(mine.message), class(theirs.message))
	case mine.code == "":
		return differentContent(r, mine.members, theirs.members)
	case len(mine.reasons) != len(theirs.reasons):
		return fmt.Sprintf("%d reasons, theirs %d", len(mine.reasons), len(theirs.reasons))
	}
	for i, reason := range mine.reasons {
		other := theirs.reasons[i]
		if reason.Code != other.Code {
			return fmt.Sprintf("reason %q, theirs %q (%s; %s)", reason.Code, other.Code, class(reason.Message), class(other.Message))
		}
		if a, b := canonical(reason.Item), canonical(other.Item); a != b {
			return "another item in a reason"
		}
		if a, b := class(reason.Message), class(other.Message); a != b {
			return fmt.Sprintf("reason's message %q, theirs %q", a, b)
		}
	}
	if len(mine.reasons) > 0 {
		return ""
	}
	if a, b := class(mine.message), class(theirs.message); a != b && mine.code == "ValidationException" && r.operation != "CreateTable" {
		return fmt.Sprintf("message %q, theirs %q", a, b)
	}
	return differentContent(r, mine.members, theirs.members)
}

// differentContent compares what is in two answers, as far as DynamoDB promises it.
func differentContent(r request, mine, theirs map[string]any) string {
	names := []string{"Attributes", "Item", "Items", "Count", "ScannedCount", "LastEvaluatedKey", "Responses",
		"UnprocessedItems",
		"UnprocessedKeys", "TableNames", "TimeToLiveDescription", "TimeToLiveSpecification"}
	_, started := r.body["ExclusiveStartKey"]
	_, limited := r.body["Limit"]
	_, byIndex := r.body["IndexName"]
	_, inParts := r.body["Segment"]
	switch {
	case r.operation == "Scan" && (started || inParts), r.operation == "Query" && byIndex && started:
		names = nil // the order is by a hash, or not promised
	case r.operation == "Scan" && limited, r.operation == "Query" && byIndex && limited:
		names = []string{"ScannedCount"}
	}
	ordered := r.operation == "Query" && !byIndex || r.operation == "TransactGetItems"
	for _, name := range names {
		a, b := mine[name], theirs[name]
		if !ordered {
			a, b = unordered(a), unordered(b)
		}
		if x, y := canonical(a), canonical(b); x != y {
			return "another " + name
		}
	}
	for _, name := range []string{"TableDescription", "Table"} {
		a, _ := mine[name].(map[string]any)
		b, _ := theirs[name].(map[string]any)
		for _, part := range []string{"TableName", "KeySchema", "AttributeDefinitions", "ItemCount",
			"StreamSpecification"} {
			if x, y := canonical(unordered(a[part])), canonical(unordered(b[part])); x != y {
				return "another " + part
			}
		}
	}
	return ""
}

// unordered sorts the lists of an answer whose order is not promised.
func unordered(v any) any {
	switch v := v.(type) {
	case []any:
		list := slices.Clone(v)
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(canonical(a), canonical(b)) })
		return list
	case map[string]any: // Responses, by table
		sorted := object{}
		for k, e := range v {
			if list, ok := e.([]any); ok {
				e = unordered(list)
			}
			sorted[k] = e
		}
		return sorted
	}
	return v
}

// canonical is a text that two values share if they are the same to DynamoDB: the members of sets have no order.
func canonical(v any) string {
	text, err := json.Marshal(withSortedSets(v))
	if err != nil {
		panic(err)
	}
	if s := string(text); s != "{}" && s != "[]" {
		return s
	}
	return "null"
}

func withSortedSets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		sorted := object{}
		for k, e := range v {
			if list, ok := e.([]any); ok && (k == "SS" || k == "NS" || k == "BS") {
				e = unordered(list)
			}
			if text, ok := e.(string); ok && k == "N" { // DynamoDB Local returns 0.10 as it got it
				if n, ok := new(big.Rat).SetString(text); ok {
					e = n.RatString()
				}
			}
			sorted[k] = withSortedSets(e)
		}
		return sorted
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = withSortedSets(e)
		}
		return list
	}
	return v
}

// stage is a stage of DynamoDB's work on a request, and what the texts of its faults have in common, on AWS at
// different times and in both programs. Faults of one stage count as equal: which of several is reported first depends
// on the order of maps.
type stage struct {
	name    string
	phrases []string
}

var stages = []stage{
	{place, []string{"starting key", "Exclusive Start Key", "Query condition missed key",
		"Conditions can be of length", "key condition not supported", "operator used in KeyConditionExpression",
		"KeyConditionExpressions must", "KeyConditionExpressions cannot", "condition in KeyConditionExpression",
		"Condition parameter type",
		"non-primary key attributes", "Must specify the", "Cannot specify the", "ALL_PROJECTED_ATTRIBUTES can",
		"does not project",
		"Select type ALL_ATTRIBUTES", "segment", "Consistent read", "Type mismatch for attribute to update"}},
	{constraint, []string{"failed to satisfy constraint", "Invalid table/index name", "Cannot have null key",
		"Limit must be greater than or equal to 1",
		"Limit in ListTables", "Return values set to invalid value", "must have some requests set",
		"cannot be null or empty", "has empty list",
		"null or no requests set", "less than or equal to 100", "less than or equal to 25"}},
	{values, []string{"contains invalid key", "contains invalid value", "must not be empty",
		"can only be specified when using expressions",
		"Supplied AttributeValue", "significant digits", "precision up to 38 digits", "Number overflow",
		"Number underflow",
		"converted to a numeric value", "converted into a number", "may not be empty", "should not be empty",
		"contains duplicates", "Nesting Levels",
		"Empty attribute name", "Attribute name is too large", "must have the value of true",
		"Supplied WriteRequest is empty",
		"exceeded the maximum allowed size", "payload size", "multiple operations on one item",
		"Too many items requested", "can only contain one of", "should contain Delete or Put"}},
	{expression, []string{"Invalid UpdateExpression", "Invalid ConditionExpression", "Invalid FilterExpression",
		"Invalid ProjectionExpression",
		"Invalid KeyConditionExpression", "unused in expressions", "parameter must be specified in the request"}},
	{place, []string{"does not match the schema", "Type mismatch for key", "Type mismatch for Index Key",
		"Invalid attribute value type", "Missing the key",
		"required keys was not given a value", "number of conditions on the keys", "empty string value",
		"empty binary value", "size limit",
		"must be under 2048 bytes", "This attribute is part of the key", "Key attributes must be scalars",
		"does not have the specified index",
		"Requested resource not found", "non-existent table"}},
	{item, []string{"TimeToLive is", "document path provided in the update expression is invalid",
		"refers to an attribute that does not exist", "has an incorrect data type",
		"The conditional request failed", "Transaction cancelled"}},
}

const (
	constraint = "a constraint of the API's model"
	values     = "attribute values"
	expression = "an expression"
	place      = "the table, its index, the key or what is read of it"
	item       = "the item"
)

// class names the stage at which a fault with this message is found.
func class(message string) string {
	for _, s := range stages {
		if mentions(message, s.phrases...) {
			return s.name
		}
	}
	return message
}

// mentions reports whether a message contains one of the phrases.
func mentions(message string, phrases ...string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(strings.ToLower(message), strings.ToLower(p)) })
}
