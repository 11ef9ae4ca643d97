package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/platform/stored"
	"milepost/system"
)

// overLoopback serves a system in memory on a port of this machine and returns clients that call it there, signing as
// any client does.
func overLoopback(fn func(aws.Config) error) error {
	s, err := system.Open(system.Options{Template: "template.yaml", Parameters: system.Unbounded()})
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.AWS(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // ends with Close
	defer server.Close()
	return fn(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
		BaseEndpoint: aws.String("http://" + l.Addr().String()),
		HTTPClient:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	})
}

// concurrently runs fn n times, a number of them at the same time, after a tenth as many to warm up, and returns the
// time that the n took.
func concurrently(n, concurrency int, fn func(i int) error) (time.Duration, error) {
	run := func(first, last int64) error {
		var next atomic.Int64
		next.Store(first)
		errs := make(chan error, concurrency)
		var wg sync.WaitGroup
		for range concurrency {
			wg.Go(func() {
				for i := next.Add(1); i <= last; i = next.Add(1) {
					if err := fn(int(i)); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		return <-errs
	}
	warm := int64(n / 10)
	if err := run(0, warm); err != nil {
		return 0, err
	}
	began := time.Now()
	err := run(warm, warm+int64(n))
	return time.Since(began), err
}

func putItems(ctx context.Context) (figures []figure, err error) {
	const n = 40_000
	payload := stored.Text(strings.Repeat("x", 1000))
	err = overLoopback(func(cfg aws.Config) error {
		db := dynamodb.NewFromConfig(cfg)
		_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
			TableName: aws.String("bench"), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeN}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		})
		if err != nil {
			return err
		}
		took, err := concurrently(n, 8, func(i int) error {
			_, err := db.PutItem(ctx, &dynamodb.PutItemInput{
				TableName: aws.String("bench"),
				Item:      stored.Item{"id": stored.Number(i), "payload": payload},
			})
			return err
		})
		figures = []figure{rate("PutItem of 1 KB, loopback, 8 at a time, SDK client included", n, took, 8000)}
		return err
	})
	return figures, err
}

func executions(ctx context.Context) (figures []figure, err error) {
	const n = 20_000
	const definition = `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","End":true}}}`
	err = overLoopback(func(cfg aws.Config) error {
		machines := sfn.NewFromConfig(cfg)
		made, err := machines.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
			Name: aws.String("bench"), Definition: aws.String(definition), RoleArn: aws.String("arn:aws:iam::000000000000:role/bench"),
		})
		if err != nil {
			return err
		}
		took, err := concurrently(n, 8, func(int) error {
			_, err := machines.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: made.StateMachineArn, Input: aws.String(`{"n":1}`)})
			return err
		})
		if err != nil {
			return err
		}
		began := time.Now()
		for { // those still running are part of the work
			out, err := machines.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: made.StateMachineArn, StatusFilter: sfntypes.ExecutionStatusRunning})
			if err != nil {
				return err
			}
			if len(out.Executions) == 0 {
				break
			}
		}
		figures = []figure{rate("executions of three states, loopback, 8 at a time, SDK client included", n, took+time.Since(began), 4000)}
		return nil
	})
	return figures, err
}
