package flow_test

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"milepost/console/flow"
)

// shop is a stack with each kind of way between resources.
const shop = `
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  LogTable: {Type: AWS::DynamoDB::Table}
  ViewTable: {Type: AWS::DynamoDB::Table}
  Jobs: {Type: AWS::SQS::Queue}
  FailedQueue: {Type: AWS::SQS::Queue}
  EventBus: {Type: AWS::Events::EventBus}
  OrderFunction:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - &Write
          Statement:
            - {Effect: Allow, Action: ["dynamodb:Query", "dynamodb:PutItem"], Resource: !GetAtt LogTable.Arn}
            - {Effect: Allow, Action: dynamodb:Query, Resource: !GetAtt ViewTable.Arn}
      Events: {Order: {Type: HttpApi, Properties: {ApiId: !Ref Api}}}
  PublishFunction:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - {Statement: [{Action: "events:PutEvents", Resource: {"Fn::GetAtt": [EventBus, Arn]}}]}
      Events:
        Log: &OfLog {Type: DynamoDB, Properties: {Stream: !GetAtt LogTable.StreamArn}}
  PackFunction:
    Type: AWS::Serverless::Function
    Properties:
      Policies: [*Write, {SQSSendMessagePolicy: {QueueName: !GetAtt Jobs.QueueName}}]
      Events:
        Ordered: {<<: {Type: EventBridgeRule}, Properties: {EventBusName: !Ref EventBus}}
  ViewFunction:
    Type: AWS::Serverless::Function
    Properties:
      Policies: [{DynamoDBReadPolicy: {TableName: !Ref LogTable}}, {DynamoDBCrudPolicy: {TableName: !Ref ViewTable}}]
      Events: {Log: *OfLog}
  SendFunction:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Job: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}
  SweepFunction:
    Type: AWS::Serverless::Function
    Properties:
      Policies: [{Statement: [{Action: ["states:StartExecution"], Resource: !Ref Repair}]}]
      Events: {Nightly: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}}
  Repair:
    Type: AWS::Serverless::StateMachine
    Properties:
      Policies: [{Statement: [{Action: lambda:InvokeFunction, Resource: !Sub "${PackFunction.Arn}:*"}]}]
  GoneFunction:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Order: {Type: HttpApi, Properties: {ApiId: !Ref Api}}}
`

func mustRead(t *testing.T) *flow.Map {
	t.Helper()
	m, err := flow.Read(shop, func(id string) bool { return id != "GoneFunction" })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWorkFlowsAsTheTemplateSays(t *testing.T) {
	t.Parallel()
	m := mustRead(t)
	got := map[string]string{}
	for _, n := range m.Nodes {
		var to []string
		for _, one := range n.To {
			to = append(to, one.Name())
		}
		got[n.Name()] = strings.Join(to, " ")
	}
	for name, want := range map[string]string{
		"Schedule": "Sweep", "Api": "Order", "Log": "Publish View", "View": "View", "Jobs": "Send", "Failed": "", "EventBus": "Pack", "Order": "Log",
		"Publish": "EventBus", "Pack": "Log Jobs", "Send": "", "Sweep": "Repair", "Repair": "Pack",
	} {
		if got[name] != want && name != "View" { // a table and a function
			t.Errorf("%s hands on to %q, want %q", name, got[name], want)
		}
	}
	if m.Node("GoneFunction") != nil {
		t.Error("a resource that does not exist is on the map")
	}
	_, kept := m.Flow()
	if len(kept) != 2 || kept[0] != m.Node("ViewTable") || kept[1] != m.Node("FailedQueue") {
		t.Errorf("kept: %v", kept)
	}
	for id, depth := range map[string]int{"Api": 0, "OrderFunction": 1, "LogTable": 2, "PublishFunction": 3, "ViewFunction": 3, "EventBus": 4, "PackFunction": 5, "Jobs": 6, "SendFunction": 7, "SweepFunction": 1, "Repair": 2} {
		if got := m.Node(id).Depth; got != depth {
			t.Errorf("%s is %d steps away, want %d", id, got, depth)
		}
	}
}

func TestARuleThatSomebodyAddedIsOnTheMap(t *testing.T) {
	t.Parallel()
	m := mustRead(t)
	m.Link(m.Node("EventBus"), m.Node("SendFunction"))
	m.Link(m.Node("EventBus"), m.Node("SendFunction"))
	m.Link(m.Node("EventBus"), nil)
	if to := m.Node("EventBus").To; len(to) != 2 || m.Node("SendFunction").Depth != 5 {
		t.Errorf("%d ways, %d steps away", len(to), m.Node("SendFunction").Depth)
	}
}

// TestTheDrawingIsWhole: it is XML, escapes what it is given, and has each node through which work flows once.
func TestTheDrawingIsWhole(t *testing.T) {
	t.Parallel()
	m := mustRead(t)
	svg := string(m.SVG(func(n *flow.Node) flow.Note {
		return flow.Note{Text: "<3 & more", Link: `/functions/"x"`, Bad: n.ID == "SendFunction"}
	}))
	var titles []string
	in := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "title" {
			var title string
			if err := in.DecodeElement(&title, &start); err != nil {
				t.Fatal(err)
			}
			titles = append(titles, title)
		}
	}
	through, _ := m.Flow()
	if len(titles) != len(through) || !slices.Contains(titles, "OrderFunction, function: <3 & more; hands on to Log") {
		t.Errorf("%d titles of %d nodes: %q", len(titles), len(through), titles)
	}
	if strings.Count(svg, `class="state function failed"`) != 1 {
		t.Error("what is wrong is not marked")
	}
}

func TestWhatIsNotATemplateIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"not YAML": "{", "a list of resources": "Resources: [1]", "a resource that is a text": "Resources: {A: B}"} {
		if _, err := flow.Read(text, func(string) bool { return true }); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if m, err := flow.Read("{}", func(string) bool { return true }); err != nil || len(m.Nodes) != 0 {
		t.Errorf("an empty template: %v, %v", m, err)
	}
}

// FuzzRead: no template makes it fail but by an error, and what was read can be drawn.
func FuzzRead(f *testing.F) {
	f.Add(shop)
	f.Add(`{"Resources": {"A": {"Type": "AWS::Serverless::Function", "Properties": {"Events": {"E": 1}, "Policies": [1, {"Statement": [2]}]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := flow.Read(text, func(string) bool { return true })
		if err != nil {
			return
		}
		m.SVG(func(*flow.Node) flow.Note { return flow.Note{} })
	})
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		if _, err := flow.Read(shop, func(string) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}
