package differential

import (
	"slices"
	"strings"
)

// known are the differences in which this DynamoDB is right, with the evidence. "The suite" is
// github.com/nubo-db/paritysuite, whose conformance tests of DynamoDB were run on AWS itself, in us-east-1, in 2026.
var known = []struct {
	why string
	is  func(r request, mine, theirs *answer) bool
}{
	{"DynamoDB Local fails, and says nothing of the request",
		func(_ request, _, theirs *answer) bool { return theirs.code == "InternalFailure" }},
	{"a constraint of the API's model is checked before all else (the suite; the service model); DynamoDB " +
		"Local checks it late or never",
		func(_ request, mine, _ *answer) bool { return class(mine.message) == constraint }},
	{"calls on items take any name of a table that is made of the right characters, and find no such table " +
		"(the suite)",
		func(_ request, mine, theirs *answer) bool {
			return mine.code != "" && strings.Contains(theirs.message, "Invalid table/index name")
		}},
	{"values and expressions are checked before the table, its index and its key are looked at (the suite: a " +
		"syntax error wins over ResourceNotFoundException, an unused name too)",
		func(_ request, mine, theirs *answer) bool {
			return slices.Contains([]string{values, expression}, class(mine.message)) &&
				slices.Contains([]string{values, expression, place, item}, class(theirs.message))
		}},
	{"several tables of a batch may be looked at in any order",
		func(r request, mine, theirs *answer) bool {
			tables, _ := r.body["RequestItems"].(object)
			return len(tables) > 1 && mine.code != "" && theirs.code != ""
		}},
	{"the actions of a transaction are checked together, as far as that needs no table; DynamoDB Local goes " +
		"from one to the next (no document says more)",
		func(r request, mine, theirs *answer) bool {
			actions, _ := r.body["TransactItems"].([]any)
			return len(actions) > 1 && mine.code != "" && theirs.code != "" && (mine.code != theirs.code || mine.reasons == nil)
		}},
	{"an update that cannot be applied cancels its transaction for the reason ValidationError (API reference, " +
		"TransactWriteItems, TransactionCanceledException)",
		func(_ request, mine, theirs *answer) bool {
			return hasReason(mine, theirs.message) && (class(theirs.message) == item || mentions(theirs.message, "Key attributes must be scalars"))
		}},
	{"a key that does not fit its table cancels a transaction for the reason ValidationError (the suite)",
		func(_ request, mine, theirs *answer) bool {
			return hasReason(mine, theirs.message) && class(theirs.message) == place
		}},
	{"that a transaction has an item twice is a ValidationException of the whole request (the suite); " +
		"DynamoDB Local notices it only at the second action",
		func(_ request, mine, _ *answer) bool {
			return mentions(mine.message, "multiple operations on one item")
		}},
	{"AWS may report the faults that an update expression finds in the item in any order",
		func(r request, mine, theirs *answer) bool {
			return r.operation == "UpdateItem" && class(mine.message) == item && mentions(theirs.message, "precision up to 38 digits")
		}},
	{"key attributes are scalars in every expression, as DynamoDB Local says of all but those of a ConditionCheck",
		func(r request, mine, theirs *answer) bool {
			return mentions(mine.message, "Key attributes must be scalars") &&
				(theirs.code == "TransactionCanceledException" || r.operation == "TransactWriteItems")
		}},
	{"an update of a key attribute is refused before the condition is looked at (github.com/mhart/dynalite, " +
		"which was tested against AWS)",
		func(_ request, mine, theirs *answer) bool {
			return mentions(mine.message, "This attribute is part of the key") && class(theirs.message) == item
		}},
	{"an update cannot set a key of an index to the wrong type (API reference, TransactWriteItems: \"attempted " +
		"to update the secondary index key to unsupported type\"); DynamoDB Local lets ADD do it",
		func(_ request, mine, theirs *answer) bool {
			const mismatch = "Type mismatch for Index Key"
			return mentions(mine.message, mismatch) && theirs.code == "" ||
				slices.ContainsFunc(mine.reasons, func(r reason) bool { return mentions(r.Message, mismatch) })
		}},
	{"the size of a partition key is checked in reads too (the suite)",
		func(r request, mine, _ *answer) bool {
			return r.reads() && mentions(mine.message, "Size of hashkey has exceeded")
		}},
	{"a scan of an index sees what the index projects (the suite); DynamoDB Local filters whole items",
		func(r request, mine, theirs *answer) bool {
			return r.operation == "Scan" && r.body["IndexName"] != nil && r.body["FilterExpression"] != nil && mine.code+theirs.code == ""
		}},
	{"a page that reached its limit says where it ended (API reference, Query, LastEvaluatedKey); DynamoDB " +
		"Local knows that a table without a sort key has no more",
		func(r request, mine, theirs *answer) bool {
			return r.operation == "Query" && r.body["Limit"] != nil && mine.code+theirs.code == "" && theirs.members["LastEvaluatedKey"] == nil
		}},
	{"a start key within the range of the key condition is one to continue from (Developer Guide, Query); " +
		"DynamoDB Local refuses some at the range's border",
		func(r request, mine, theirs *answer) bool {
			return r.body["ExclusiveStartKey"] != nil && mine.code == "" && mentions(theirs.message, "does not match the range key predicate")
		}},
}

// hasReason reports whether a transaction was cancelled because of a fault of the class of this message.
func hasReason(a *answer, message string) bool {
	return slices.ContainsFunc(a.reasons, func(r reason) bool { return r.Code == "ValidationError" && class(r.Message) == class(message) })
}
