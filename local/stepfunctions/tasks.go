package stepfunctions

import (
	"context"
	"errors"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
)

// Limits of a task's failure.
const (
	maxErrorName = 256
	maxCause     = 32_768
)

// SendTaskSuccess ends the task that waits for the token with an output, a JSON text. When it
// returns the answer is stored.
//
// A token that has been answered, or that nothing waits for any more, is TaskTimedOut.
func (s *Service) SendTaskSuccess(ctx context.Context, token, output string) error {
	if _, err := asl.Decode(output); err != nil {
		return awsapi.Errorf("InvalidOutput", "Invalid Output: '%v'", err)
	}
	if len(output) > asl.MaxData {
		return awsapi.Errorf("InvalidOutput", "Invalid Output: 'it has more than %d bytes'", asl.MaxData)
	}
	return s.toTask(ctx, "SendTaskSuccess", token, message{answer: &answer{Output: output}})
}

// SendTaskFailure fails the task that waits for the token. The error's name and cause may be nil.
func (s *Service) SendTaskFailure(ctx context.Context, token string, name, cause *string) error {
	if name != nil && len(*name) > maxErrorName || cause != nil && len(*cause) > maxCause {
		return awsapi.Errorf("ValidationException", "an error may have %d characters, its cause %d", maxErrorName, maxCause)
	}
	return s.toTask(ctx, "SendTaskFailure", token, message{answer: &answer{Failed: true, Error: name, Description: cause}})
}

// SendTaskHeartbeat reports that the task with the token is still being worked on.
func (s *Service) SendTaskHeartbeat(ctx context.Context, token string) error {
	return s.toTask(ctx, "SendTaskHeartbeat", token, message{heartbeat: true})
}

func (s *Service) toTask(ctx context.Context, action, token string, m message) error {
	key, path, ok := readToken(token)
	if !ok {
		// The token names the resource that the caller needs permission for.
		return awsapi.Errorf("InvalidToken", "Invalid Token: 'Invalid token'")
	}
	s.mu.RLock()
	e := s.executions[key]
	s.mu.RUnlock()
	resource := "*"
	if e != nil {
		resource = machineARN(machineOf(e.Machine))
	}
	if err := awsapi.Authorize(ctx, "states:"+action, resource); err != nil {
		return err
	}
	if e == nil {
		return awsapi.Errorf("TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'")
	}
	m.token, m.path = token, path
	err := e.ask(m)
	if errors.Is(err, errEnded) {
		return awsapi.Errorf("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	}
	return err
}

// ask posts a message and waits until its effect is stored.
func (e *execution) ask(m message) error {
	done := make(chan error, 1)
	m.reply = func(failure error) { done <- failure }
	e.post(m)
	return <-done
}

// StopExecution aborts an execution that is running. Stopping one that has ended does nothing.
func (s *Service) StopExecution(ctx context.Context, arn string, name, cause *string) error {
	e, err := s.execution(ctx, "StopExecution", arn)
	if err != nil {
		return err
	}
	if err := e.ask(message{stop: &answer{Error: name, Description: cause}}); err != nil && !errors.Is(err, errEnded) {
		return err
	}
	return nil
}
