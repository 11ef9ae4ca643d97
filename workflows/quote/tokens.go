package quote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/internal/platform"
)

// Tokens keeps the task tokens of waiting branches and answers them.
type Tokens struct {
	db *dynamodb.Client
	// table is the name of the table of waits.
	table     string
	workflows *sfn.Client
}

// NewTokens is a Tokens over the table that WAITS_TABLE_NAME names.
func NewTokens(env platform.Environment, vars *platform.Variables) *Tokens {
	return &Tokens{db: platform.DynamoDB(env), table: vars.Required("WAITS_TABLE_NAME"), workflows: platform.StepFunctions(env)}
}

// tokenLife is how long a token is kept: well beyond the timeout of the branch that waits.
const tokenLife = 24 * time.Hour

// keep stores the token of a branch. A retried task has a new token, which replaces the old one.
func (t *Tokens) keep(ctx context.Context, streamID string, fact quote.Fact, token string, now time.Time) error {
	_, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.table,
		Item: map[string]types.AttributeValue{
			"streamId":  &types.AttributeValueMemberS{Value: streamID},
			"fact":      &types.AttributeValueMemberS{Value: string(fact)},
			"token":     &types.AttributeValueMemberS{Value: token},
			"expiresAt": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Add(tokenLife).Unix(), 10)},
		},
	})
	if err != nil {
		return fmt.Errorf("keep the token of %s: %w", streamID, err)
	}
	return nil
}

// Wake answers the branch of a stream's workflow that waits for a fact. Where none waits it does
// nothing: the branch has been answered, has timed out, or will find the fact in the log.
func (t *Tokens) Wake(ctx context.Context, streamID string, fact quote.Fact) error {
	out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.table, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			"streamId": &types.AttributeValueMemberS{Value: streamID},
			"fact":     &types.AttributeValueMemberS{Value: string(fact)},
		},
	})
	if err != nil {
		return fmt.Errorf("look for the token of %s: %w", streamID, err)
	}
	if out.Item == nil {
		return nil
	}
	token, ok := out.Item["token"].(*types.AttributeValueMemberS)
	if !ok {
		return fmt.Errorf("the wait of %s for %s has no token", streamID, fact)
	}
	return t.answer(ctx, fact, token.Value)
}

// answer settles a token. One that is settled already is fine.
func (t *Tokens) answer(ctx context.Context, fact quote.Fact, token string) error {
	output, err := json.Marshal(struct {
		Fact     quote.Fact `json:"fact"`
		TimedOut bool       `json:"timedOut"`
	}{Fact: fact})
	if err != nil {
		return err
	}
	_, err = t.workflows.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token, Output: aws.String(string(output))})
	if _, settled := errors.AsType[*sfntypes.TaskTimedOut](err); settled {
		return nil
	}
	if _, gone := errors.AsType[*sfntypes.TaskDoesNotExist](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("answer the branch that waits for %s: %w", fact, err)
	}
	return nil
}
