package cloudformation

import (
	"context"
	"net/url"
	"slices"

	"milepost/local/template"
)

// mostResources is how many resources one answer has.
const mostResources = 100

// resource is what every answer says about a resource.
type resource struct {
	LogicalResourceId    string
	PhysicalResourceId   string
	ResourceType         string
	ResourceStatus       string
	ResourceStatusReason string `xml:",omitempty"`
	DriftInformation     struct{ StackResourceDriftStatus string }
}

func (s *Service) resource(r *template.Resource) resource {
	described := resource{
		LogicalResourceId: r.LogicalID, PhysicalResourceId: r.PhysicalID, ResourceType: r.Type,
		ResourceStatus: complete, ResourceStatusReason: s.why(r.LogicalID),
	}
	described.DriftInformation.StackResourceDriftStatus = notChecked
	return described
}

// stackOf is what some answers say about a resource's stack.
type stackOf struct{ StackId, StackName string }

type summary struct {
	resource
	LastUpdatedTimestamp string
}

func (s *Service) listStackResources(ctx context.Context, form url.Values) (any, error) {
	name := form.Get("StackName")
	if err := s.find(ctx, "ListStackResources", name, "Stack with id "+name+" does not exist"); err != nil {
		return nil, err
	}
	all := s.stack.Resources
	if token := form.Get("NextToken"); token != "" { // the first resource of the page
		i := slices.IndexFunc(all, func(r *template.Resource) bool { return r.LogicalID == token })
		if i < 0 {
			return nil, invalid("NextToken is not one of this stack: " + token)
		}
		all = all[i:]
	}
	var page struct {
		Summaries []summary `xml:"StackResourceSummaries>member"`
		NextToken string    `xml:",omitempty"`
	}
	if len(all) > mostResources {
		page.NextToken = all[mostResources].LogicalID
		all = all[:mostResources]
	}
	for _, r := range all {
		page.Summaries = append(page.Summaries, summary{s.resource(r), s.made})
	}
	return page, nil
}

type described struct {
	stackOf
	resource
	Timestamp string
}

// describeStackResources answers for the first resources only: this operation has no pages.
func (s *Service) describeStackResources(ctx context.Context, form url.Values) (any, error) {
	name, logical, physical := form.Get("StackName"), form.Get("LogicalResourceId"), form.Get("PhysicalResourceId")
	if (name == "") == (physical == "") {
		return nil, invalid("Either StackName or PhysicalResourceId must be given, and not both")
	}
	missing := "Stack with id " + name + " does not exist"
	if physical != "" {
		missing = "Stack for " + physical + " does not exist"
		if slices.ContainsFunc(s.stack.Resources, func(r *template.Resource) bool { return r.PhysicalID == physical }) {
			name = s.stack.StackName
		}
	}
	if err := s.find(ctx, "DescribeStackResources", name, missing); err != nil {
		return nil, err
	}
	// A physical id names the stack: all of its resources are described.
	var answer struct {
		Resources []described `xml:"StackResources>member"`
	}
	for _, r := range s.stack.Resources {
		if (logical == "" || logical == r.LogicalID) && len(answer.Resources) < mostResources {
			answer.Resources = append(answer.Resources, described{s.itself(), s.resource(r), s.made})
		}
	}
	if logical != "" && len(answer.Resources) == 0 {
		return nil, s.noResource(logical, name)
	}
	return answer, nil
}

type detail struct {
	stackOf
	resource
	LastUpdatedTimestamp string
}

func (s *Service) describeStackResource(ctx context.Context, form url.Values) (any, error) {
	name, logical := form.Get("StackName"), form.Get("LogicalResourceId")
	if err := s.find(ctx, "DescribeStackResource", name, "Stack '"+name+"' does not exist"); err != nil {
		return nil, err
	}
	r := s.stack.Resource(logical)
	if r == nil {
		return nil, s.noResource(logical, name)
	}
	return struct {
		Detail detail `xml:"StackResourceDetail"`
	}{detail{s.itself(), s.resource(r), s.made}}, nil
}

func (s *Service) itself() stackOf { return stackOf{s.stack.StackID, s.stack.StackName} }

func (s *Service) noResource(logicalID, stack string) error {
	return invalid("Resource " + logicalID + " does not exist for stack " + stack)
}
