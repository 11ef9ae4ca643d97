package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"milepost/internal/page"
)

// inside lists what the stack is made of, by type.
func (c *Console) inside(w http.ResponseWriter, r *http.Request) error {
	all, err := c.resource.every(r.Context())
	if err != nil {
		return err
	}
	byType, types := map[string][]resource{}, []string{}
	for _, one := range all {
		if byType[one.Type] == nil {
			types = append(types, one.Type)
		}
		byType[one.Type] = append(byType[one.Type], one)
	}
	slices.Sort(types)
	return c.render(w, r, http.StatusOK, "inside.html", page.Frame{Title: plural(len(all), "resource")}, map[string]any{
		"Types": types, "ByType": byType, "N": len(all), "Commands": []string{c.command("cloudformation", "list-stack-resources", "--stack-name", c.Stack)},
	})
}

// Page is the page about a resource, "" if there is none.
func (r resource) Page() string {
	switch r.Type {
	case "AWS::Lambda::Function", "AWS::Serverless::Function":
		return "/functions/" + r.Physical
	case "AWS::DynamoDB::Table":
		return "/tables/" + r.Physical
	case "AWS::StepFunctions::StateMachine":
		return "/machines/" + tail(r.Physical)
	case "AWS::SQS::Queue":
		return "/failures/" + tail(r.Physical)
	case "AWS::S3::Bucket":
		return "/buckets/" + r.Physical
	case "AWS::KMS::Key":
		return "/keys/" + r.Physical
	case "AWS::Events::EventBus", "AWS::Events::Rule":
		return "/bus"
	}
	return ""
}

// functionView is what the page of a function shows.
type functionView struct {
	Name          string
	Configuration *lambda.GetFunctionConfigurationOutput
	Variables     []variable
	Sources       []lambdatypes.EventSourceMappingConfiguration
	May           *permissions
	Figures       *functionFigures
	// Payload was sent, and Answer came back; Failed is the kind of error, "" for none.
	Payload, Answer, Failed, Log string
	Invoked                      bool
	Commands                     []string
}

// variable is one of a function's environment. Values that may be secrets are not shown.
type variable struct{ Name, Value string }

// function shows a function.
func (c *Console) function(w http.ResponseWriter, r *http.Request) error {
	return c.showFunction(w, r, &functionView{Name: r.PathValue("function")})
}

func (c *Console) showFunction(w http.ResponseWriter, r *http.Request, v *functionView) error {
	var err error
	if v.Configuration, err = c.lambda.GetFunctionConfiguration(r.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &v.Name}); err != nil {
		return err
	}
	if e := v.Configuration.Environment; e != nil {
		for name, value := range e.Variables {
			if strings.Contains(name, "KEY") && !strings.HasSuffix(name, "_ARN") || strings.Contains(name, "SECRET") {
				value = "(not shown)"
			}
			v.Variables = append(v.Variables, variable{name, value})
		}
		slices.SortFunc(v.Variables, func(a, b variable) int { return strings.Compare(a.Name, b.Name) })
	}
	sources, err := c.lambda.ListEventSourceMappings(r.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: &v.Name})
	if err != nil {
		return err
	}
	v.Sources = sources.EventSourceMappings
	if v.Figures, err = c.figuresOf(r.Context(), v.Name); err != nil {
		return err
	}
	if v.May, err = c.permissionsOf(r.Context(), aws.ToString(v.Configuration.Role)); err != nil {
		return err
	}
	v.Commands = []string{
		c.command("lambda", "get-function-configuration", "--function-name", v.Name),
		c.command("lambda", "invoke", "--function-name", v.Name, "--log-type", "Tail", "--payload", "…", "out.json"),
	}
	return c.render(w, r, http.StatusOK, "function.html", page.Frame{Title: v.Name}, v)
}

// invoke invokes a function with the payload of the form.
func (c *Console) invoke(w http.ResponseWriter, r *http.Request) error {
	v := &functionView{Name: r.PathValue("function"), Payload: strings.TrimSpace(r.PostFormValue("payload")), Invoked: true}
	if !json.Valid([]byte(v.Payload)) {
		return &refusal{http.StatusUnprocessableEntity, "The payload is not JSON", "A function is invoked with a JSON document."}
	}
	out, err := c.lambda.Invoke(r.Context(), &lambda.InvokeInput{FunctionName: &v.Name, Payload: []byte(v.Payload), LogType: lambdatypes.LogTypeTail})
	if err != nil {
		return err
	}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		return err
	}
	v.Log = string(log)
	v.Answer, v.Failed = pretty(string(out.Payload)), aws.ToString(out.FunctionError)
	return c.showFunction(w, r, v)
}

// tableView is a page of a table.
type tableView struct {
	Name     string
	Table    *types.TableDescription
	Keys     []string
	Value    string // of the partition key, "" for a scan
	Items    []itemLine
	Next     string
	Commands []string
}

// itemLine is an item by its keys.
type itemLine struct {
	Keys []string
	Item any
}

const itemsShown = 25

// table shows items of a table: those of a partition, or a page of all.
func (c *Console) table(w http.ResponseWriter, r *http.Request) error {
	v := &tableView{Name: r.PathValue("table"), Value: r.URL.Query().Get("value")}
	described, err := c.dynamoDB.DescribeTable(r.Context(), &dynamodb.DescribeTableInput{TableName: &v.Name})
	if err != nil {
		return err
	}
	v.Table = described.Table
	kinds := map[string]types.ScalarAttributeType{}
	for _, a := range v.Table.AttributeDefinitions {
		kinds[aws.ToString(a.AttributeName)] = a.AttributeType
	}
	for _, k := range v.Table.KeySchema {
		v.Keys = append(v.Keys, aws.ToString(k.AttributeName))
	}
	start, err := startKey(r.URL.Query().Get("next"), v.Keys, kinds)
	if err != nil {
		return err
	}
	var items []map[string]types.AttributeValue
	var last map[string]types.AttributeValue
	if v.Value != "" {
		out, err := c.dynamoDB.Query(r.Context(), &dynamodb.QueryInput{
			TableName: &v.Name, KeyConditionExpression: aws.String("#k = :v"), ExpressionAttributeNames: map[string]string{"#k": v.Keys[0]},
			ExpressionAttributeValues: map[string]types.AttributeValue{":v": scalar(kinds[v.Keys[0]], v.Value)}, Limit: aws.Int32(itemsShown), ExclusiveStartKey: start,
		})
		if err != nil {
			return err
		}
		items, last = out.Items, out.LastEvaluatedKey
		v.Commands = []string{c.command("dynamodb", "query", "--table-name", v.Name, "--key-condition-expression", v.Keys[0]+" = :v", "--expression-attribute-values", "…")}
	} else {
		out, err := c.dynamoDB.Scan(r.Context(), &dynamodb.ScanInput{TableName: &v.Name, Limit: aws.Int32(itemsShown), ExclusiveStartKey: start})
		if err != nil {
			return err
		}
		items, last = out.Items, out.LastEvaluatedKey
		v.Commands = []string{c.command("dynamodb", "scan", "--table-name", v.Name, "--max-items", "25")}
	}
	for _, item := range items {
		line := itemLine{Item: plain(&types.AttributeValueMemberM{Value: item})}
		for _, k := range v.Keys {
			line.Keys = append(line.Keys, textOf(plain(item[k])))
		}
		v.Items = append(v.Items, line)
	}
	if last != nil {
		var values []string
		for _, k := range v.Keys {
			values = append(values, textOf(plain(last[k])))
		}
		text, err := json.Marshal(values)
		if err != nil {
			return err
		}
		v.Next = string(text)
	}
	return c.render(w, r, http.StatusOK, "table.html", page.Frame{Title: v.Name}, v)
}

// startKey is the key after which a page begins, nil for the first.
func startKey(next string, keys []string, kinds map[string]types.ScalarAttributeType) (map[string]types.AttributeValue, error) {
	if next == "" {
		return nil, nil
	}
	var values []string
	if json.Unmarshal([]byte(next), &values) != nil || len(values) != len(keys) {
		return nil, &refusal{http.StatusBadRequest, "There is no such page", "Begin with the first page of the table."}
	}
	start := map[string]types.AttributeValue{}
	for i, k := range keys {
		start[k] = scalar(kinds[k], values[i])
	}
	return start, nil
}

func scalar(kind types.ScalarAttributeType, text string) types.AttributeValue {
	if kind == types.ScalarAttributeTypeN {
		return &types.AttributeValueMemberN{Value: text}
	}
	return &types.AttributeValueMemberS{Value: text}
}
