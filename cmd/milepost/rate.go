package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/schemas"
)

// rateCmd rates one request, or with Batch a request a line. It needs no network; the rate plans are in
// the program.
type rateCmd struct {
	File  string `arg:"" optional:"" type:"existingfile" help:"A JSON object with request and facts. Default: standard input."`
	Batch bool   `help:"Read one object per line, with id, request and facts, and write one per line, with id and result."`
	Plan  string `placeholder:"VERSION" help:"Rate with this plan, whatever the effective date. Default: the plan in force then."`
}

// Help describes the input.
func (*rateCmd) Help() string {
	return `The object has the request and the facts that were found: the decoded VINs and the drivers' histories. domain/rating/testdata/worked-examples.json has such objects. A quote request, as the API takes it, is rated as of today with its VINs decoded and without any history. The output is JSON.

Examples, one request, and a file with one per line:

  milepost example | milepost rate
  milepost rate --batch < requests.ndjson`
}

// Run writes the result of each request. With Batch it fails at the end if any line could not be read.
func (c *rateCmd) Run(ctx context.Context, s streams) error {
	rate, err := rateUnder(c.Plan)
	if err != nil {
		return err
	}
	in := s.in
	if c.File != "" && c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	in = withoutMark(in)
	if c.Batch {
		return rate.batch(ctx, in, s.out)
	}
	return rate.one(ctx, in, s.out)
}

// rater is how a request is rated.
type rater func(rating.Request, rating.Facts) rating.Result

func rateUnder(version string) (rater, error) {
	if version == "" {
		return rating.Rate, nil
	}
	if p, ok := rating.Named(version); ok {
		return p.OnAnyDate().Rate, nil
	}
	return nil, noPlan(version)
}

// noPlan names the existing plans in place of one that does not exist.
func noPlan(version string) error {
	var versions []string
	for _, p := range rating.Plans() {
		versions = append(versions, p.Version())
	}
	return fmt.Errorf("there is no rate plan %q, only %s", version, strings.Join(versions, ", "))
}

// rateCase is a request to rate. Facts may be missing: then no provider was called.
type rateCase struct {
	ID      json.RawMessage `json:"id"`
	Request *rating.Request `json:"request"`
	Facts   rating.Facts    `json:"facts"`
}

// asRequested makes a case of a quote request, which the API takes and milepost example prints: as of today, with VINs
// decoded by this program, and without any history. ok is false for other texts.
func asRequested(text []byte, now time.Time) (c rateCase, ok bool, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || members["drivers"] == nil || members["vehicles"] == nil {
		return c, false, nil
	}
	var request quote.Request
	if err := schemas.ValidateBody("QuoteRequest", text); err != nil {
		return c, true, err
	}
	if err := json.Unmarshal(text, &request); err != nil {
		return c, true, err
	}
	vehicles, err := quote.Identify(request, now.UTC().Year())
	if err != nil {
		return c, true, err
	}
	rated := request.Rating(request.Today(now))
	c.Request, c.Facts = &rated, quote.Revision{Vehicles: vehicles}.Facts()
	return c, true, nil
}

func parseRateCase(text []byte) (rateCase, error) {
	if c, ok, err := asRequested(text, time.Now()); ok {
		return c, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var c rateCase
	if err := decoder.Decode(&c); err == io.EOF {
		return c, errors.New("there is no JSON object")
	} else if err != nil {
		return c, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return c, errors.New("there is more after the JSON object")
	}
	if c.Request == nil {
		return c, errors.New("request is missing")
	}
	return c, nil
}

func (rate rater) one(ctx context.Context, in io.Reader, out io.Writer) error {
	text, err := readAll(ctx, in)
	if err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	c, err := parseRateCase(text)
	if err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rate(*c.Request, c.Facts))
}

// readAll is io.ReadAll, but does not outlast ctx: nothing else ends the wait for a terminal.
func readAll(ctx context.Context, in io.Reader) ([]byte, error) {
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := io.ReadAll(in)
		done <- read{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maxLine is the length of the longest line of a batch.
const maxLine = 1 << 20

// batch rates several lines at the same time and writes the answers in the order of the lines.
func (rate rater) batch(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// An answer is queued before it is known. The queue bounds how many are in the making.
	queue := make(chan chan rateLine, 4*runtime.GOMAXPROCS(0))
	var readErr error // to be looked at once the queue is closed
	go func() {
		defer close(queue)
		readErr = eachLineUpTo(maxLine, in, func(line []byte, tooLong bool) bool {
			answer := make(chan rateLine, 1)
			select {
			case queue <- answer:
			case <-ctx.Done():
				return false
			}
			text := bytes.Clone(line)
			go func() { answer <- rate.line(text, tooLong) }()
			return true
		})
	}()

	buffered := bufio.NewWriter(out)
	failed := false
	for {
		select {
		case answer, more := <-queue:
			if !more {
				if err := errors.Join(readErr, buffered.Flush()); err != nil {
					return fmt.Errorf("rate: %w", err)
				}
				if failed {
					return exitStatus(1)
				}
				return nil
			}
			line := <-answer
			failed = failed || line.failed
			if _, err := buffered.Write(line.text); err != nil {
				return fmt.Errorf("rate: %w", err)
			}
			if len(queue) == 0 { // a sender of single lines is waiting for this one
				if err := buffered.Flush(); err != nil {
					return fmt.Errorf("rate: %w", err)
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rateLine is a line of the output of a batch.
type rateLine struct {
	text   []byte
	failed bool
}

func (rate rater) line(text []byte, tooLong bool) rateLine {
	var answer struct {
		ID     json.RawMessage `json:"id,omitempty"`
		Result *rating.Result  `json:"result,omitempty"`
		Error  string          `json:"error,omitempty"`
	}
	c, err := parseRateCase(text)
	switch {
	case tooLong:
		answer.Error = fmt.Sprintf("the line is longer than %d bytes", maxLine)
	case err != nil:
		answer.ID, answer.Error = rateCaseID(text), err.Error()
	default:
		result := rate(*c.Request, c.Facts)
		answer.ID, answer.Result = c.ID, &result
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		panic(err) // an answer has nothing that JSON has not
	}
	return rateLine{line.Bytes(), answer.Error != ""}
}

// rateCaseID finds the id of a line that has something else wrong with it, if it can.
func rateCaseID(text []byte) json.RawMessage {
	var c struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(text, &c) != nil {
		return nil
	}
	return c.ID
}

// eachLineUpTo calls f for each line that is not blank, until f returns false. A line longer than the
// limit is passed as no line but tooLong. The line is only valid during the call.
func eachLineUpTo(limit int, in io.Reader, f func(line []byte, tooLong bool) bool) error {
	lines := bufio.NewReaderSize(in, limit+len("\r\n"))
	for {
		line, err := lines.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		if tooLong {
			line = nil
		}
		if line = bytes.TrimSpace(line); tooLong || len(line) > 0 {
			if !f(line, tooLong || len(line) > limit) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
