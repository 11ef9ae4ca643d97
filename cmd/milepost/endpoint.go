package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"milepost/internal/platform"
	"milepost/local/awsapi"
)

// endpoint says which AWS and which stack a command works on.
type endpoint struct {
	URL     *baseURL `name:"endpoint" setting:"" placeholder:"URL" xor:"aws" help:"Where AWS is served. Default: AWS_ENDPOINT_URL of the environment, or else http://127.0.0.1:4566, where milepost run serves it. An empty URL means the real AWS."`
	AWS     bool     `name:"aws" xor:"aws" help:"Work in the real AWS, with the region and credentials that the aws command line would use."`
	Profile string   `setting:"" placeholder:"NAME" help:"The profile of the aws command line that has region and credentials. Without --endpoint it means the real AWS."`
	Stack   string   `setting:"" default:"milepost" placeholder:"NAME" help:"Name of the stack; its outputs name its resources. Default: ${default}."`
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

// urlVariable is where the AWS SDK looks for an endpoint of all services.
const urlVariable = "AWS_ENDPOINT_URL"

// address is where the command finds AWS, "" where the SDK would. chosen is set if somebody said so.
func (e *endpoint) address() (address string, chosen bool) {
	environment := os.Getenv(urlVariable)
	switch {
	case e.URL != nil:
		return string(*e.URL), true
	case e.AWS || e.Profile != "":
		return "", true
	case environment != "":
		return environment, true
	}
	return defaultURL, false
}

// real reports whether the command works on the real AWS.
func (e *endpoint) real() bool {
	address, _ := e.address()
	return address == ""
}

// here reports whether the AWS is one of this machine, as milepost run serves it.
func (e *endpoint) here() bool {
	address, _ := e.address()
	at, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(at.Hostname())
	return at.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// config makes SDK clients. For the AWS of milepost run the credentials say nothing; they are there to sign with, so those
// of the environment are used only for an address that somebody has chosen, and need not be there.
func (e *endpoint) config(ctx context.Context, s streams) (aws.Config, error) {
	address, chosen := e.address()
	if err := baseURL(address).Validate(); err != nil {
		return aws.Config{}, fmt.Errorf("%s: %w", urlVariable, err) // that of a flag is checked already
	}
	nobody := credentials.NewStaticCredentialsProvider("milepost", "milepost", "")
	cfg, client := aws.Config{Region: awsapi.Region, Credentials: nobody}, awshttp.NewBuildableClient()
	if chosen {
		options := []func(*config.LoadOptions) error{
			config.WithSharedConfigProfile(e.Profile), config.WithLogger(logging.Nop{}), // what matters is an error
		}
		if address != "" { // where looking for the role of a virtual machine would only take time
			options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
		}
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx, options...); err != nil {
			return aws.Config{}, err
		}
		if loaded, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
			client = loaded // which may trust other certificates
		}
		switch {
		case cfg.Region != "":
		case address == "":
			return aws.Config{}, errors.New("there is no AWS region; set AWS_REGION, or AWS_PROFILE to a profile that has one")
		default:
			cfg.Region = awsapi.Region
		}
		if address != "" && aws.IsCredentialsProvider(cfg.Credentials, (*ec2rolecreds.Provider)(nil)) { // there are no others
			cfg.Credentials = nobody
		}
	}
	if address != "" {
		cfg.BaseEndpoint = &address
	}
	if e.URL != nil && address != "" {
		cfg.ConfigSources = nil // an endpoint of one service in the environment gives way to the flag
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
