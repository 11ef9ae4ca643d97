package dynamodb_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

const conditionItem = `{'id':{'S':'a'},'n':{'N':'10'},'s':{'S':'hello'},'b':{'B':'AQI='},'yes':{'BOOL':true},'nil':{'NULL':true},
	'l':{'L':[{'N':'1'},{'S':'two'},{'M':{'deep':{'S':'x'}}}]},'m':{'M':{'k':{'S':'v'},'n':{'N':'2'}}},'ss':{'SS':['a','b']},'ns':{'NS':['1','2']},'wörd.x':{'S':'odd'}}`

// sample has the values and names that the expressions of these tests may use.
var (
	sampleValues = map[string]string{
		":1": `{'N':'1'}`, ":5": `{'N':'5'}`, ":10": `{'N':'10.0'}`, ":20": `{'N':'20'}`, ":nums": `{'NS':['2','3']}`,
		":a": `{'S':'a'}`, ":v": `{'S':'v'}`, ":he": `{'S':'he'}`, ":hello": `{'S':'hello'}`, ":N": `{'S':'N'}`, ":SS": `{'S':'SS'}`, ":bad": `{'S':'number'}`,
		":b": `{'B':'AQ=='}`, ":b2": `{'B':'AQI='}`, ":true": `{'BOOL':true}`, ":null": `{'NULL':true}`,
		":l": `{'L':[{'N':'1'}]}`, ":set": `{'SS':['b','a']}`, ":abs": `{'SS':['a','b']}`,
	}
	sampleNames = map[string]string{"#s": `'s'`, "#odd": `'wörd.x'`, "#m": `'m'`, "#k": `'k'`, "#size": `'size'`, "#l": `'l'`}
)

// values and names return the request members that define what an expression uses.
func values(expression string) string {
	return definitions("ExpressionAttributeValues", expression, sampleValues)
}

func names(expression string) string {
	return definitions("ExpressionAttributeNames", expression, sampleNames)
}

func definitions(member, expression string, sample map[string]string) string {
	words := strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" (),[].=<>+-", r) })
	var used []string
	for name, v := range sample {
		if slices.Contains(words, name) {
			used = append(used, `'`+name+`':`+v)
		}
	}
	if used == nil {
		return ""
	}
	return `,'` + member + `':{` + strings.Join(used, ",") + `}`
}

func TestConditions(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':`+conditionItem+`}`)
	for expression, want := range map[string]bool{
		"n = :10": true, "n = :1": false, "n <> :1": true, "n < :20": true, "n <= :10": true, "n > :10": false, "n >= :10": true, ":1 < n": true,
		"absent = :1": false, "absent <> :1": true, "absent < :1": false, "n = :a": false, "n <> :a": true, "n < :a": false,
		"s = :hello": true, "s > :he": true, "b > :b": true, "b = :b2": true, "yes = :true": true, "nil = :null": true, "ss = :set": true,
		"n BETWEEN :1 AND :20": true, "n BETWEEN :1 AND :5": false, "n between :10 and :10": true, "s IN (:a, :hello)": true, "s in (:a)": false, "n IN (:1, :10)": true,
		"attribute_exists(n)": true, "attribute_exists(absent)": false, "attribute_not_exists(absent)": true, "attribute_not_exists (n)": false,
		"attribute_exists(m.k)": true, "attribute_exists(m.x)": false, "attribute_exists(l[2].deep)": true, "attribute_exists(l[3])": false, "attribute_exists(l.k)": false, "attribute_exists(m[0])": false,
		"attribute_type(n, :N)": true, "attribute_type(s, :N)": false, "attribute_type(ss, :SS)": true, "attribute_type(absent, :N)": false,
		"begins_with(s, :he)": true, "begins_with(s, :v)": false, "begins_with(b, :b)": true, "begins_with(n, :he)": false,
		"contains(s, :he)": true, "contains(ss, :a)": true, "contains(ss, :v)": false, "contains(l, :1)": true, "contains(ns, :1)": true, "contains(n, :1)": false, "contains(m, :v)": false,
		"size(s) = :5": true, "size(l) > :1": true, "size(n) = :1": false, "size(ss) < :5": true, "size (m) >= :1": true, "size(b) = :1": false,
		"m.k = :v": true, "m.n < n": true, "l[0] = :1": true, "#s = :hello": true, "#m.#k = :v": true, "attribute_exists(#odd)": true, "#l[0] = :1": true, "attribute_not_exists(#size)": true,
		"n = :1 OR n = :10": true, "n = :1 OR n = :10 AND s = :v": false, "(n = :10 OR n = :1) AND s = :hello": true, "NOT n = :1": true, "NOT n = :1 AND s = :hello": true, "NOT (n = :10 OR s = :hello)": false,
		"NOT NOT n = :10": true, "n = :10 AND NOT attribute_exists(absent)": true, "(n = :10)": true, "(n = :10) AND (s = :hello)": true, "((n = :10) AND s = :hello) OR n = :1": true,
		"n=:10 and s=:hello": true, "attribute_exists(absent) OR size(s) IN (:1, :5)": true,
	} {
		_, err := call(s, "PutItem", `{'TableName':'Simple','Item':`+conditionItem+`,'ConditionExpression':'`+expression+`'`+names(expression)+values(expression)+`}`)
		if want && err != nil {
			t.Errorf("%s: %v", expression, err)
		} else if !want {
			wantError(t, err, "ConditionalCheckFailedException", "")
			if t.Failed() {
				t.Fatal(expression)
			}
		}
	}
}

func TestRefusedConditions(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for expression, message := range map[string]string{
		"":                                       "The expression can not be empty;",
		" ":                                      `Syntax error; token: "<EOF>"`,
		"n":                                      `Syntax error; token: "<EOF>", near: "n"`,
		"n =":                                    `Syntax error; token: "<EOF>", near: "="`,
		"n = :1 s = :a":                          `Syntax error; token: "s", near: ":1 s ="`,
		"n == :1":                                `Syntax error; token: "=", near: "== :1"`,
		"n ? :1":                                 `Syntax error; token: "?"`,
		"n = :1 AND":                             `Syntax error; token: "<EOF>", near: "AND"`,
		"(n = :1":                                `Syntax error; token: "<EOF>", near: ":1"`,
		"n = :1)":                                `Syntax error; token: ")", near: ":1)"`,
		"n IN ()":                                `Syntax error; token: ")", near: "()"`,
		"l[x] = :1":                              `Syntax error; token: "x", near: "[x]"`,
		"l[-1] = :1":                             `Syntax error; token: "-"`,
		"m. = :1":                                `Syntax error; token: "="`,
		"# = :1":                                 `Syntax error; token: "#"`,
		"name = :a":                              "Attribute name is a reserved keyword; reserved keyword: name",
		"Status = :a":                            "Attribute name is a reserved keyword; reserved keyword: Status",
		"m.value = :a":                           "Attribute name is a reserved keyword; reserved keyword: value",
		"#x = :a":                                "An expression attribute name used in the document path is not defined; attribute name: #x",
		"n = :undefined":                         "An expression attribute value used in expression is not defined; attribute value: :undefined",
		"exists(n)":                              "Invalid function name; function: exists",
		"size(n, s) = :1":                        "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2",
		"attribute_exists(:a)":                   "Operator or function requires a document path; operator or function: attribute_exists",
		"begins_with(s)":                         "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1",
		"begins_with(s, :1)":                     "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
		"attribute_type(n, :bad)":                "Invalid attribute type name found; type: number",
		"attribute_type(n, :1)":                  "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
		"n < :true":                              "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
		"n BETWEEN :20 AND :1":                   "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:20}, upper bound operand: AttributeValue: {N:1}",
		"n BETWEEN :1 AND :a":                    "The BETWEEN operator requires same data type for lower and upper bounds",
		"n = n":                                  "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [n]",
		"contains(s, s)":                         "The first operand must be distinct",
		"((n = :1))":                             "The expression has redundant parentheses;",
		"if_not_exists(n, :1) = :1":              "The function is not allowed in a condition expression; function: if_not_exists",
		"attribute_exists(n) = :1":               "The function is not allowed to be used this way in an expression; function: attribute_exists",
		"size(attribute_exists(n)) = :1":         "The function is not allowed to be used this way in an expression; function: attribute_exists",
		"size(n)":                                "The function is not allowed to be used this way in an expression; function: size",
		"NOT":                                    `Syntax error; token: "<EOF>"`,
		strings.Repeat("n = :1 OR ", 500):        "Expression size has exceeded the maximum allowed size",
		strings.Repeat("n=:1 OR ", 400) + "n=:1": "The expression contains too many operators",
		strings.Repeat("(", 4000):                `Syntax error; token: "<EOF>"`,
		"n IN (" + strings.Repeat(":1,", 100) + ":1)": "The IN operator is provided with too many operands; number of operands: 101",
	} {
		_, err := call(s, "PutItem", `{'TableName':'Simple','Item':{'id':{'S':'z'}},'ConditionExpression':'`+expression+`'`+names(expression)+values(expression)+`}`)
		wantError(t, err, "ValidationException", "Invalid ConditionExpression: "+message)
	}
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"SET s = :v":                                    `'s':{'S':'v'}`,
		"set n = n + :5":                                `'n':{'N':'15'}`,
		"SET n = n - :20, s = :a":                       `'n':{'N':'-10'},'s':{'S':'a'}`,
		"SET n = :5 - :10":                              `'n':{'N':'-5'}`,
		"SET x = if_not_exists(n, :1)":                  `'x':{'N':'10'}`,
		"SET x = if_not_exists(absent, :1)":             `'x':{'N':'1'}`,
		"SET x = if_not_exists(absent, :1) + :5":        `'x':{'N':'6'}`,
		"SET x = list_append(l, :l)":                    `'x':{'L':[{'N':'1'},{'S':'two'},{'N':'1'}]}`,
		"SET l = list_append(:l, l)":                    `'l':{'L':[{'N':'1'},{'N':'1'},{'S':'two'}]}`,
		"SET x = list_append(if_not_exists(x, :l), :l)": `'x':{'L':[{'N':'1'},{'N':'1'}]}`,
		"SET m.k = :a":                                  `'m':{'M':{'k':{'S':'a'},'n':{'N':'2'}}}`,
		"SET m.x = :a REMOVE m.k":                       `'m':{'M':{'x':{'S':'a'},'n':{'N':'2'}}}`,
		"SET l[0] = :a":                                 `'l':{'L':[{'S':'a'},{'S':'two'}]}`,
		"SET l[9] = :a, l[7] = :v":                      `'l':{'L':[{'N':'1'},{'S':'two'},{'S':'v'},{'S':'a'}]}`,
		"REMOVE l[0], l[1]":                             `'l':{'L':[]}`,
		"REMOVE l[1], l[0]":                             `'l':{'L':[]}`,
		"REMOVE l[5]":                                   ``,
		"REMOVE l[0] SET l[1] = :a":                     `'l':{'L':[{'S':'a'}]}`,
		"REMOVE absent":                                 ``,
		"SET n = s, s = n":                              `'n':{'S':'hello'},'s':{'N':'10'}`,
		"SET x = m.n":                                   `'x':{'N':'2'}`,
		"ADD n :5":                                      `'n':{'N':'15'}`,
		"ADD x :5":                                      `'x':{'N':'5'}`,
		"ADD m.n :5":                                    `'m':{'M':{'k':{'S':'v'},'n':{'N':'7'}}}`,
		"ADD ss :abs":                                   `'ss':{'SS':['a','b','c']}`,
		"ADD x :nums":                                   `'x':{'NS':['2','3']}`,
		"DELETE ss :abs":                                `'ss':{'SS':['c']}`,
		"DELETE absent :abs":                            ``,
		"ADD n :1 DELETE ss :abs SET x = :a REMOVE s":   `'n':{'N':'11'},'ss':{'SS':['c']},'x':{'S':'a'},'s':null`,
		"SET #m.#k = :a":                                `'m':{'M':{'k':{'S':'a'},'n':{'N':'2'}}}`,
		"SET #size = :a":                                `'size':{'S':'a'}`,
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()
			s := newService(t, nil)
			before := `'id':{'S':'a'},'n':{'N':'10'},'s':{'S':'hello'},'l':{'L':[{'N':'1'},{'S':'two'}]},'m':{'M':{'k':{'S':'v'},'n':{'N':'2'}}},'ss':{'SS':['b','c']}`
			mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':{`+before+`}}`)
			got := mustCall(t, s, "UpdateItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'ReturnValues':'ALL_NEW','UpdateExpression':'`+expression+`'`+names(expression)+values(expression)+`}`)
			merged := before
			if want != "" {
				merged += "," + want // the later member of an object counts
			}
			merged = strings.ReplaceAll("{"+merged+"}", "'", `"`)
			wantJSON(t, got, `{"Attributes":`+withoutNulls(t, merged)+`}`)
		})
	}
}

func TestRefusedUpdates(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':`+conditionItem+`}`)
	for expression, message := range map[string]string{
		"":                             "Invalid UpdateExpression: The expression can not be empty;",
		"s = :a":                       `Invalid UpdateExpression: Syntax error; token: "s", near: "s ="`,
		"SET":                          `Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "SET"`,
		"SET s = :a, ":                 `Invalid UpdateExpression: Syntax error; token: "<EOF>"`,
		"SET s = :a SET n = :1":        `Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`,
		"SET n = n + :1 + :5":          `Invalid UpdateExpression: Syntax error; token: "+"`,
		"SET n = n * :1":               `Invalid UpdateExpression: Syntax error; token: "*"`,
		"SET name = :a":                "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name",
		"SET m = :a, m.k = :v":         "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, k]",
		"SET s = :a REMOVE s":          "Invalid UpdateExpression: Two document paths overlap",
		"SET m.x = :a, m[0] = :v":      "Invalid UpdateExpression: Two document paths conflict with each other",
		"SET n = n + :a":               "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S",
		"SET n = s + :1":               "An operand in the update expression has an incorrect data type",
		"SET n = absent + :1":          "The provided expression refers to an attribute that does not exist in the item",
		"SET x = absent":               "The provided expression refers to an attribute that does not exist in the item",
		"SET x = list_append(s, :l)":   "An operand in the update expression has an incorrect data type",
		"SET x = list_append(l, :a)":   "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
		"SET x = size(s)":              "Invalid UpdateExpression: The function is not allowed in an update expression; function: size",
		"SET x = begins_with(s, :a)":   "Invalid UpdateExpression: The function is not allowed in an update expression; function: begins_with",
		"SET absent.x = :a":            "The document path provided in the update expression is invalid for update",
		"SET s.x = :a":                 "The document path provided in the update expression is invalid for update",
		"SET m[0] = :a":                "The document path provided in the update expression is invalid for update",
		"REMOVE absent.x":              "The document path provided in the update expression is invalid for update",
		"ADD n :a":                     "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
		"ADD s :1":                     "An operand in the update expression has an incorrect data type",
		"DELETE ss :1":                 "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER",
		"DELETE ns :abs":               "An operand in the update expression has an incorrect data type",
		"ADD n = :1":                   `Invalid UpdateExpression: Syntax error; token: "="`,
		"SET n = if_not_exists(:1, n)": "Invalid UpdateExpression: Operator or function requires a document path; operator or function: if_not_exists",
	} {
		_, err := call(s, "UpdateItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'UpdateExpression':'`+expression+`'`+names(expression)+values(expression)+`}`)
		wantError(t, err, "ValidationException", message)
	}
}

func TestProjections(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':`+conditionItem+`}`)
	for expression, want := range map[string]string{
		"n":                   `{'n':{'N':'10'}}`,
		"s, n, absent":        `{'n':{'N':'10'},'s':{'S':'hello'}}`,
		"m.k":                 `{'m':{'M':{'k':{'S':'v'}}}}`,
		"m.k, m.n":            `{'m':{'M':{'k':{'S':'v'},'n':{'N':'2'}}}}`,
		"l[1]":                `{'l':{'L':[{'S':'two'}]}}`,
		"l[2].deep, l[0]":     `{'l':{'L':[{'N':'1'},{'M':{'deep':{'S':'x'}}}]}}`,
		"l[7], m.absent, s.x": `{}`,
		"#odd":                `{'wörd.x':{'S':'odd'}}`,
	} {
		got := mustCall(t, s, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'ProjectionExpression':'`+expression+`'`+names(expression)+`}`)
		wantJSON(t, got, `{'Item':`+want+`}`)
	}
	for expression, message := range map[string]string{
		"m, m.k":    "Invalid ProjectionExpression: Two document paths overlap with each other",
		"s,":        `Invalid ProjectionExpression: Syntax error; token: "<EOF>"`,
		"s n":       `Invalid ProjectionExpression: Syntax error; token: "n"`,
		"size(s)":   `Invalid ProjectionExpression: `,
		":a":        `Invalid ProjectionExpression: Syntax error; token: ":a"`,
		"timestamp": "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: timestamp",
	} {
		_, err := call(s, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'ProjectionExpression':'`+expression+`'}`)
		wantError(t, err, "ValidationException", message)
	}
}

// withoutNulls drops the members of an object in JSON that are null.
func withoutNulls(tb testing.TB, object string) string {
	tb.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		tb.Fatal(err)
	}
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
