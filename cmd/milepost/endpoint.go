package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"milepost/internal/platform"
	"milepost/local/awsapi"
)

// endpoint says which AWS and which stack a command works on.
type endpoint struct {
	URL   *baseURL `name:"endpoint" placeholder:"URL" xor:"aws" help:"Where a local AWS is served. An empty URL means the real AWS. Default: http://127.0.0.1:4566, where milepost run serves it."`
	AWS   bool     `name:"aws" xor:"aws" help:"Work in the real AWS, with the region and credentials that the aws command line would use."`
	Stack string   `default:"milepost" placeholder:"NAME" help:"Name of the stack; its outputs name its resources. Default: ${default}."`
}

// baseURL is the address of an HTTP server, or "".
type baseURL string

// defaultURL is where milepost run serves AWS by default. It is not the flag's default, because the flag could then not
// exclude another.
const defaultURL = "http://127.0.0.1:4566"

// Validate is called by the parser.
func (u baseURL) Validate() error {
	if parsed, err := url.Parse(string(u)); u != "" && (err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "") {
		return fmt.Errorf("%q is not an address like http://127.0.0.1:4566", string(u))
	}
	return nil
}

// real reports whether the command works on the real AWS.
func (e *endpoint) real() bool { return e.AWS || e.URL != nil && *e.URL == "" }

// config makes SDK clients. At a URL the credentials say nothing; they are there to sign with.
func (e *endpoint) config(ctx context.Context, s streams) (aws.Config, error) {
	cfg := aws.Config{
		Region: awsapi.Region, BaseEndpoint: aws.String(defaultURL),
		Credentials: credentials.NewStaticCredentialsProvider("milepost", "milepost", ""),
	}
	if e.URL != nil {
		cfg.BaseEndpoint = (*string)(e.URL)
	}
	client := awshttp.NewBuildableClient()
	if e.real() {
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
			return aws.Config{}, err
		}
		if loaded, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
			client = loaded // which may trust other certificates
		}
		if cfg.Region == "" {
			return aws.Config{}, errors.New("there is no AWS region; set AWS_REGION, or AWS_PROFILE to a profile that has one")
		}
	}
	cfg.HTTPClient = platform.AWSClient(client, 0)
	if s.aws != nil {
		cfg.HTTPClient = s.aws
	}
	return cfg, nil
}

// addressOf is the address that a call tried, as far as its error says it.
func addressOf(err error) string {
	if sent, ok := errors.AsType[*url.Error](err); ok {
		if at, err := url.Parse(sent.URL); err == nil {
			return at.Scheme + "://" + at.Host
		}
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Addr != nil {
		return dial.Addr.String()
	}
	return "its address"
}

// plainly says in one line what an SDK client's error is about, and leaves other errors as they are.
func plainly(err error) error {
	call, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return err
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		if answer.ErrorCode() == "UnknownError" { // the client did not find one in the answer
			return fmt.Errorf("%s %s: what answers there is not AWS; is --endpoint the address that milepost run prints for it?", call.Service(), call.Operation())
		}
		if call.Service() == dynamodb.ServiceID && answer.ErrorCode() == "ResourceNotFoundException" {
			return fmt.Errorf("%s %s: there is no such table; is --stack the name of the stack, and --endpoint its address?", call.Service(), call.Operation())
		}
		return fmt.Errorf("%s %s: %s (%s)", call.Service(), call.Operation(), answer.ErrorMessage(), answer.ErrorCode())
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s %s: nothing answers at %s; is milepost run running, and --endpoint its address?", call.Service(), call.Operation(), addressOf(err))
	}
	if unsent, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s %s: %w; is --endpoint the address of milepost run?", call.Service(), call.Operation(), unsent.Err)
	}
	return err
}
