package xray

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

const (
	groupBucket  = "xray.groups" // by name
	defaultGroup = "Default"     // has all traces
	maxGroups    = 25
	maxGroupName = 32
)

// Group is a named filter expression, as the API answers it.
type Group struct {
	Name       string   `json:"GroupName"`
	ARN        string   `json:"GroupARN"`
	Expression string   `json:"FilterExpression,omitempty"`
	Insights   insights `json:"InsightsConfiguration"`
}

type insights struct{ InsightsEnabled, NotificationsEnabled bool }

// groups are those that were created.
type groups struct {
	mu     sync.Mutex
	byName map[string]Group
}

func (s *Service) loadGroups() error {
	return s.store.Each(groupBucket, func(key, value []byte) error {
		var g Group
		if err := json.Unmarshal(value, &g); err != nil {
			return fmt.Errorf("read group %s: %w", key, err)
		}
		s.groups.byName[g.Name] = g
		return nil
	})
}

// groupFinder returns the filter of a group, by its name or its ARN.
type groupFinder func(name, arn string) (filter, error)

// groupFilter is the groupFinder of all groups. Neither a name nor an ARN means the default group.
func (s *Service) groupFilter(name, arn string) (filter, error) {
	if name == "" && arn == "" {
		name = defaultGroup
	}
	s.groups.mu.Lock()
	g, err := s.groups.find(name, arn)
	s.groups.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return parseFilter(g.Expression, nil)
}

// ofGroup returns the traces of a group in a range.
func (s *Service) ofGroup(name, arn string, r Range) ([]trace, error) {
	accept, err := s.groupFilter(name, arn)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(s.snapshot(r.holds), func(t trace) bool { return !accept(t.view()) }), nil
}

// find returns a group; the mutex is held.
func (g *groups) find(name, arn string) (Group, error) {
	if name == "" && arn == "" {
		return Group{}, awsapi.Errorf("InvalidRequestException", "A GroupName or a GroupARN must be given")
	}
	for _, one := range g.all() {
		if (name == "" || one.Name == name) && (arn == "" || one.ARN == arn) {
			return one, nil
		}
	}
	return Group{}, awsapi.Errorf("InvalidRequestException", "Group not found")
}

// all returns the groups by name after the default one; the mutex is held.
func (g *groups) all() []Group {
	created := slices.SortedFunc(maps.Values(g.byName), func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return append([]Group{{Name: defaultGroup, ARN: awsapi.ARN("xray", "group/"+defaultGroup)}}, created...)
}

type groupRequest struct {
	GroupName, GroupARN   string
	FilterExpression      *string
	InsightsConfiguration insights
	Tags                  []any
}

func (r groupRequest) check() error {
	switch {
	case r.InsightsConfiguration != insights{}:
		return awsapi.Unsupported("insights of X-Ray")
	case len(r.Tags) > 0:
		return awsapi.Unsupported("tags of X-Ray's groups")
	case r.FilterExpression == nil:
		return nil
	}
	_, err := parseFilter(*r.FilterExpression, nil)
	return err
}

// groupResource is the resource that IAM asks about.
func (s *Service) groupResource(body []byte) (string, error) {
	var in groupRequest
	if err := awsapi.Decode(body, &in); err != nil {
		return "", err
	}
	if in.GroupARN != "" {
		return in.GroupARN, nil
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	if g, err := s.groups.find(in.GroupName, ""); err == nil {
		return g.ARN, nil
	}
	return awsapi.ARN("xray", "group/"+in.GroupName+"/*"), nil
}

func (s *Service) getGroups(body []byte) (any, error) {
	var in struct{ NextToken string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if in.NextToken != "" { // one page has all
		return nil, awsapi.Errorf("InvalidRequestException", "NextToken is invalid")
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	return map[string]any{"Groups": s.groups.all()}, nil
}

func (s *Service) getGroup(body []byte) (any, error) {
	var in struct{ GroupName, GroupARN string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	g, err := s.groups.find(in.GroupName, in.GroupARN)
	return map[string]any{"Group": g}, err
}

func (s *Service) createGroup(body []byte) (any, error) {
	var in groupRequest
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	_, exists := s.groups.byName[in.GroupName]
	switch {
	case in.GroupName == "" || utf8.RuneCountInString(in.GroupName) > maxGroupName:
		return nil, awsapi.Errorf("InvalidRequestException", "GroupName has 1 to %d characters", maxGroupName)
	case exists || in.GroupName == defaultGroup:
		return nil, awsapi.Errorf("InvalidRequestException", "Group already exists")
	case len(s.groups.byName) >= maxGroups:
		return nil, awsapi.Errorf("InvalidRequestException", "There are at most %d groups", maxGroups)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	return s.putGroup(Group{
		Name: in.GroupName, Expression: deref(in.FilterExpression),
		ARN: awsapi.ARN("xray", "group/"+in.GroupName+"/"+base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])),
	})
}

func (s *Service) updateGroup(body []byte) (any, error) {
	var in groupRequest
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	g, err := s.groups.find(in.GroupName, in.GroupARN)
	switch {
	case err != nil:
		return nil, err
	case g.Name == defaultGroup:
		return nil, awsapi.Errorf("InvalidRequestException", "The default group has no expression to update")
	case in.FilterExpression != nil:
		g.Expression = *in.FilterExpression
	}
	return s.putGroup(g)
}

func (s *Service) deleteGroup(body []byte) (any, error) {
	var in struct{ GroupName, GroupARN string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	g, err := s.groups.find(in.GroupName, in.GroupARN)
	if err != nil {
		return nil, err
	}
	if g.Name == defaultGroup {
		return nil, awsapi.Errorf("InvalidRequestException", "The default group cannot be deleted")
	}
	if err := s.store.Commit(storage.Op{Bucket: groupBucket, Key: []byte(g.Name)}); err != nil {
		return nil, err
	}
	delete(s.groups.byName, g.Name)
	return struct{}{}, nil
}

// putGroup keeps a group; the mutex is held.
func (s *Service) putGroup(g Group) (any, error) {
	value, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	if err := s.store.Commit(storage.Op{Bucket: groupBucket, Key: []byte(g.Name), Value: value}); err != nil {
		return nil, err
	}
	s.groups.byName[g.Name] = g
	return map[string]any{"Group": g}, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
