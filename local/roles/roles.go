// Package roles plays the reads of AWS IAM for roles: what a role is, who may assume it, and what its policies allow. Roles
// come from a template: the calls that change them are refused by name.
package roles

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// Version and Namespace are those of the query API.
const (
	Version   = "2010-05-08"
	Namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
)

// Role is a role with its policies. Its name is the last part of its ARN.
type Role struct {
	ARN, Description string
	// Trust is the JSON of the policy that says who may assume the role.
	Trust string
	// Inline are the documents of its own policies by name, Managed the ARNs of those that AWS keeps.
	Inline  map[string]string
	Managed []string
	// MaxSession is how long a session lasts at most, in seconds; 0 means an hour.
	MaxSession int
}

// Service answers for the roles of one stack. It is safe for concurrent use, as long as nobody changes the roles.
type Service struct {
	roles map[string]*Role
	made  string
}

// New returns a Service without roles, which were made at an instant.
func New(made time.Time) *Service {
	return &Service{map[string]*Role{}, made.UTC().Format("2006-01-02T15:04:05Z")}
}

// Add adds a role, before the Service answers.
func (s *Service) Add(r *Role) { s.roles[path.Base(r.ARN)] = r }

// action is how an operation is answered, and the members that a call of it may have besides the role's name.
type action struct {
	members []string
	answer  func(*Service, *Role, url.Values) (any, error)
}

var actions = map[string]action{
	"GetRole":                  {nil, (*Service).getRole},
	"ListRolePolicies":         {nil, (*Service).listRolePolicies},
	"GetRolePolicy":            {[]string{"PolicyName"}, (*Service).getRolePolicy},
	"ListAttachedRolePolicies": {nil, (*Service).listAttachedRolePolicies},
}

// CallQuery answers one action of the API.
func (s *Service) CallQuery(ctx context.Context, name string, form url.Values) (any, error) {
	a, ok := actions[name]
	if !ok {
		return nil, awsapi.Unsupported("the IAM operation " + name)
	}
	for member := range form {
		if member != "RoleName" && !slices.Contains(a.members, member) {
			return nil, awsapi.Unsupported("the request member " + member)
		}
	}
	role := form.Get("RoleName")
	r, ok := s.roles[role]
	arn := "arn:" + awsapi.Partition + ":iam::" + awsapi.Account + ":role/" + role
	if ok {
		arn = r.ARN
	}
	if err := awsapi.Authorize(ctx, "iam:"+name, arn); err != nil {
		return nil, &awsapi.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: awsapi.AsError(err).Message}
	}
	if !ok {
		return nil, missing("The role with name " + role + " cannot be found.")
	}
	return a.answer(s, r, form)
}

func missing(text string) error {
	return &awsapi.Error{Code: "NoSuchEntity", Status: http.StatusNotFound, Message: text}
}

// encoded is a policy as IAM sends it: its JSON, percent-encoded after RFC 3986.
func encoded(policy string) string {
	return strings.ReplaceAll(url.QueryEscape(policy), "+", "%20")
}

func (s *Service) getRole(r *Role, _ url.Values) (any, error) {
	session := r.MaxSession
	if session == 0 {
		session = int(time.Hour / time.Second)
	}
	type role struct {
		Path, RoleName, RoleId, Arn, CreateDate, AssumeRolePolicyDocument string
		Description                                                       string `xml:",omitempty"`
		MaxSessionDuration                                                int
	}
	name := path.Base(r.ARN)
	_, at, _ := strings.Cut(r.ARN, ":role")
	return struct{ Role role }{role{
		strings.TrimSuffix(at, name), name, awsapi.UniqueID("AROA", name), r.ARN, s.made, encoded(r.Trust), r.Description, session,
	}}, nil
}

// names are the inline policies, in the order of the alphabet.
func (s *Service) listRolePolicies(r *Role, _ url.Values) (any, error) {
	var names []string
	for name := range r.Inline {
		names = append(names, name)
	}
	slices.Sort(names)
	return struct {
		PolicyNames []string `xml:"PolicyNames>member"`
		IsTruncated bool
	}{names, false}, nil
}

func (s *Service) getRolePolicy(r *Role, form url.Values) (any, error) {
	name := form.Get("PolicyName")
	document, ok := r.Inline[name]
	if !ok {
		return nil, missing("The role policy with name " + name + " cannot be found.")
	}
	return struct{ RoleName, PolicyName, PolicyDocument string }{path.Base(r.ARN), name, encoded(document)}, nil
}

func (s *Service) listAttachedRolePolicies(r *Role, _ url.Values) (any, error) {
	type attached struct{ PolicyName, PolicyArn string }
	var all []attached
	for _, arn := range r.Managed {
		all = append(all, attached{path.Base(arn), arn})
	}
	return struct {
		AttachedPolicies []attached `xml:"AttachedPolicies>member"`
		IsTruncated      bool
	}{all, false}, nil
}
