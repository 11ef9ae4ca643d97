package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"milepost/local/awsapi"
	"milepost/system"
)

// A test may not cover every output that a command needs, so this reads the code.
func TestWhatTheCommandLineAsksForIsAnOutput(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		st, err := openStack(t.Context(), s.Config(), "milepost")
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob("*.go")
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				for _, argument := range call.Args {
					literal, ok := argument.(*ast.BasicLit)
					of, method := call.Fun.(*ast.SelectorExpr)
					if ok && method && (of.Sel.Name == "Required" || of.Sel.Name == "workflow") {
						variable, err := strconv.Unquote(literal.Value)
						if err != nil {
							t.Fatal(err)
						}
						asked++
						st.Required(variable)
					}
				}
				return true
			})
		}
		if _, err := st.logs(); err != nil { // which has the names of its parts from package wiring
			t.Error(err)
		}
		if err := st.Err(); err != nil || asked < 5 {
			t.Errorf("%d outputs are asked for: %v", asked, err)
		}
	})
}

// commandsOnAStack need to know what the stack has.
var commandsOnAStack = []string{
	"replay start", "rebuild all", "rebuild all --workflow", "correct --dry-run", "mail list",
	"erase ada --reason X --by me --dry-run", "log list", "log verify", "log verify --archive", "log restore --check",
	"log heads", "log play", "log play --workflow", "log export -", "log import -",
	"keys copy --target-stack=other", "dlq show quote", "dlq redrive quote --all",
}

func TestCommandsSayThatThereIsNoSuchStack(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for _, args := range commandsOnAStack {
			got := s.milepost(append(strings.Fields(args), "--stack=nowhere")...)
			const why = "milepost: there is no stack nowhere; is --stack its name, and --endpoint its address?\n"
			if want := (result{1, "", why}); got != want {
				t.Errorf("%s: %+v, want %+v", args, got, want)
			}
		}
		if got := s.milepost("dlq", "list", "--stack=no_where"); got.status != 1 || !strings.Contains(got.err, "no_where") {
			t.Errorf("a name that no stack can have: %+v", got)
		}
	})
}

func TestCommandsNameTheOutputsThatAStackLacks(t *testing.T) {
	template := filepath.Join(t.TempDir(), "template.yaml")
	const text = `AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Lost: {Type: AWS::SQS::Queue}
Outputs:
  LostLettersQueueUrl: {Value: !Ref Lost}
`
	if err := os.WriteFile(template, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sys, err := system.Open(system.Options{Template: template})
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close()
	s := &running{System: sys, t: t, aws: &awsapi.Transport{Server: sys.AWS()}}
	for _, args := range commandsOnAStack {
		if strings.HasPrefix(args, "dlq show") || strings.HasPrefix(args, "keys") {
			continue
		}
		got := s.milepost(strings.Fields(args)...)
		named := strings.Contains(got.err, "the stack milepost (CREATE_COMPLETE) has no outputs ") ||
			strings.Contains(got.err, "has no queue or workflow quote; it has: lost-letters")
		if got.status != 1 || got.out != "" || strings.Count(got.err, "\n") != 1 || !named {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if out := s.must("dlq", "list"); !strings.Contains(out, "milepost-Lost  0") {
		t.Errorf("dlq list: %s", out)
	}
	if out := s.must("dlq", "show", "lost-letters"); out != "milepost-Lost is empty.\n" {
		t.Errorf("dlq show: %s", out)
	}
}
