package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// rateE02 rates the second worked example, two cars for twelve months, with its trace.
func rateE02(context.Context) ([]figure, error) {
	text, err := os.ReadFile("domain/rating/testdata/worked-examples.json")
	if err != nil {
		return nil, err
	}
	var examples struct {
		Examples []struct {
			ID      string
			Request rating.Request
			Facts   rating.Facts
		}
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		return nil, err
	}
	e := examples.Examples[1]
	if e.ID != "E02" {
		return nil, errors.New("the second example is not E02")
	}
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rating.Rate(e.Request, e.Facts)
		}
	})
	f := below("rating of E02 with trace", time.Duration(result.NsPerOp()), 50*time.Microsecond)
	f.result += fmt.Sprintf(" (%d allocations)", result.AllocsPerOp())
	return []figure{f}, nil
}

// firstDecode is the environment variable that makes a new process of this program time its first
// decode and print it.
const firstDecode = "MILEPOST_BENCH_FIRST_DECODE"

var vins = []string{
	"1HGCV1F33NA000101", "2HGFC2F55JH000106", "JM3KFBCM9M0000111", "1C4BJWDG7FL500115", "5YJ3E1EA7PF000109",
	"1FTEW1EPXKFA00104", "4T1G11AK1MU000102", "W1K6G7GB5SA000116", "1HD1KRP1XKB000112", "5FNRL5H67GB000108",
}

var yearLimit = vehicle.Options{YearLimit: time.Now().Year() + 2}

func init() {
	if os.Getenv(firstDecode) == "" {
		return
	}
	began := time.Now()
	if _, err := vehicle.Decode(vins[0], yearLimit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(time.Since(began).Nanoseconds())
	os.Exit(0)
}

func decodeVINs(ctx context.Context) ([]figure, error) {
	result := testing.Benchmark(func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := vehicle.Decode(vins[i%len(vins)], yearLimit); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var first []time.Duration
	for range 20 {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), firstDecode+"=1")
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("first decode in a new process: %w", err)
		}
		took, err := time.ParseDuration(strings.TrimSpace(string(out)) + "ns")
		if err != nil {
			return nil, err
		}
		first = append(first, took)
	}
	return []figure{
		below("VIN decode, mean of 10 VINs", time.Duration(result.NsPerOp()), 50*time.Microsecond),
		below("first VIN decode after start, median of 20 processes", percentile(first, 50), 5*time.Millisecond),
	}, nil
}
