package system_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/xray"

	"milepost/cmd/internal/system"
)

func TestProbeTrace(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{TraceAll: true})
		began := time.Now()
		id := s.submit("ada", example())
		s.settle()
		_ = id
		end := time.Now()
		out, err := s.traces.GetTraceSummaries(t.Context(), &xray.GetTraceSummariesInput{StartTime: &began, EndTime: &end})
		if err != nil {
			t.Fatal(err)
		}
		for _, sum := range out.TraceSummaries {
			t.Logf("TRACE %s", *sum.Id)
			b, err := s.traces.BatchGetTraces(t.Context(), &xray.BatchGetTracesInput{TraceIds: []string{*sum.Id}})
			if err != nil {
				t.Fatal(err)
			}
			for _, seg := range b.Traces[0].Segments {
				t.Log(*seg.Document)
			}
		}
		g, err := s.traces.GetServiceGraph(t.Context(), &xray.GetServiceGraphInput{StartTime: &began, EndTime: &end})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range g.Services {
			t.Log(*n.ReferenceId, *n.Name, *n.Type)
			for _, e := range n.Edges {
				t.Log("   ->", *e.ReferenceId)
			}
		}
	})
}
