package stepfunctions

import (
	"context"
	"maps"
	"slices"
	"strings"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// tag is a tag as the API has it.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// The limits of tags.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// withTags returns tags with some more, by their keys.
func withTags(tags map[string]string, more []tag) (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, tags)
	for _, t := range more {
		if t.Key == "" || len([]rune(t.Key)) > maxTagKey || len([]rune(t.Value)) > maxTagValue {
			return nil, awsapi.Errorf("ValidationException", "1 validation error detected: a tag has a key of 1 to %d characters and a value of at most %d", maxTagKey, maxTagValue)
		}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, awsapi.Errorf("ValidationException", "aws: prefixed tag key names are not allowed for external use.")
		}
		all[t.Key] = t.Value
	}
	if len(all) > maxTags {
		return nil, awsapi.Errorf("TooManyTags", "A resource has at most %d tags", maxTags)
	}
	return all, nil
}

type tagRequest struct {
	ResourceARN string
	Tags        []tag
	TagKeys     []string
}

// tagged finds the state machine of a request about tags. Activities, which have tags too, are refused elsewhere.
func (s *Service) tagged(ctx context.Context, action, arn string) (*machine, error) {
	m, err := s.machine(ctx, action, arn)
	if err != nil && awsapi.AsError(err).Code == "StateMachineDoesNotExist" {
		return nil, notTagged(arn)
	}
	return m, err
}

func notTagged(arn string) error {
	return &awsapi.Error{Code: "ResourceNotFound", Message: "Resource not found: '" + arn + "'", Fields: map[string]any{"resourceName": arn}}
}

func tagResource(s *Service, ctx context.Context, r tagRequest) (any, error) {
	return s.retag(ctx, "TagResource", r.ResourceARN, func(tags map[string]string) (map[string]string, error) { return withTags(tags, r.Tags) })
}

func untagResource(s *Service, ctx context.Context, r tagRequest) (any, error) {
	return s.retag(ctx, "UntagResource", r.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		left := maps.Clone(tags)
		maps.DeleteFunc(left, func(key, _ string) bool { return slices.Contains(r.TagKeys, key) })
		return left, nil
	})
}

// retag changes the tags of a state machine. A machine is never written to, so the changed one takes its place.
func (s *Service) retag(ctx context.Context, action, arn string, change func(map[string]string) (map[string]string, error)) (any, error) {
	m, err := s.tagged(ctx, action, arn)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.machines[m.Name]
	if current == nil { // it was deleted meanwhile
		return nil, notTagged(arn)
	}
	changed := *current
	if changed.Tags, err = change(current.Tags); err != nil {
		return nil, err
	}
	if err := s.store.Commit(storage.Op{Bucket: bucketMachines, Key: []byte(m.Name), Value: mustJSON(&changed)}); err != nil {
		return nil, err
	}
	s.machines[m.Name] = &changed
	return nothing, nil
}

func listTagsForResource(s *Service, ctx context.Context, r struct{ ResourceARN string }) (any, error) {
	m, err := s.tagged(ctx, "ListTagsForResource", r.ResourceARN)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		tags = append(tags, tag{key, m.Tags[key]})
	}
	return object{"tags": tags}, nil
}
