package xray

import "milepost/local/awsapi"

// The group that every account has: all traces.
const defaultGroup = "Default"

var defaultGroupARN = awsapi.ARN("xray", "group/"+defaultGroup)

// group is a group as the API has it.
type group struct {
	GroupName             string
	GroupARN              string
	InsightsConfiguration struct{ InsightsEnabled, NotificationsEnabled bool }
}

func (s *Service) getGroups(body []byte) (any, error) {
	var in struct{ NextToken string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if in.NextToken != "" {
		return nil, awsapi.Errorf("InvalidRequestException", "The token %s is invalid", in.NextToken)
	}
	return map[string]any{"Groups": []group{{GroupName: defaultGroup, GroupARN: defaultGroupARN}}}, nil
}

func (s *Service) getGroup(body []byte) (any, error) {
	var in struct{ GroupName, GroupARN string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if (in.GroupName == "") == (in.GroupARN == "") {
		return nil, awsapi.Errorf("InvalidRequestException", "Either a GroupName or a GroupARN must be given")
	}
	if !isDefault(in.GroupName, in.GroupARN) {
		return nil, awsapi.Errorf("InvalidRequestException", "Group not found")
	}
	return map[string]any{"Group": group{GroupName: defaultGroup, GroupARN: defaultGroupARN}}, nil
}

// isDefault reports whether a name or an ARN, if there is one, is that of the default group.
func isDefault(name, arn string) bool {
	return (name == "" || name == defaultGroup) && (arn == "" || arn == defaultGroupARN)
}
