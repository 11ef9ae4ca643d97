package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/ops/inspect"
)

func TestLogList(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		first := s.priced()
		between := time.Now()
		time.Sleep(time.Hour)
		second := s.priced()
		for args, want := range map[string][]string{
			"": {second, first}, "--since 30m": {second}, "--limit 1": {second}, "--since 48h --until " + between.UTC().Format(time.RFC3339): {first},
			"--since 1s": {},
		} {
			var got []inspect.Latest
			s.mustJSON(&got, append([]string{"log", "list"}, strings.Fields(args)...)...)
			ids := []string{}
			for _, q := range got {
				ids = append(ids, q.QuoteID)
				if q.Version != 4 || q.Events != 4 || q.EventType != "QuoteOffered" || q.Actor == "" || q.OccurredAt == "" {
					t.Errorf("%s: %+v", args, q)
				}
			}
			if !slices.Equal(ids, want) {
				t.Errorf("log list %s: %v, want %v", args, ids, want)
			}
		}
	})
}
