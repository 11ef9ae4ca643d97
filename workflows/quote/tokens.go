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

// keep stores the token of the branch that waits for a fact of a revision. A retried task has a new
// token, which replaces the old one.
func (t *Tokens) keep(ctx context.Context, streamID string, revision int, fact quote.Fact, token string, now time.Time) error {
	_, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.table,
		Item: map[string]types.AttributeValue{
			"streamId":  &types.AttributeValueMemberS{Value: streamID},
			"fact":      &types.AttributeValueMemberS{Value: fmt.Sprintf("%s#%d", fact, revision)},
			"token":     &types.AttributeValueMemberS{Value: token},
			"expiresAt": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Add(tokenLife).Unix(), 10)},
		},
	})
	if err != nil {
		return fmt.Errorf("keep the token of %s: %w", streamID, err)
	}
	return nil
}

// Wake answers the branches of a stream's workflows that wait for a fact. Where none waits it does
// nothing: the branch has been answered, has timed out, or will find the fact in the log. A branch of
// a revision that was amended since is answered too; it has nothing to wait for any more.
func (t *Tokens) Wake(ctx context.Context, streamID string, fact quote.Fact) error {
	out, err := t.db.Query(ctx, &dynamodb.QueryInput{
		TableName: &t.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("streamId = :stream AND begins_with(fact, :fact)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":stream": &types.AttributeValueMemberS{Value: streamID},
			":fact":   &types.AttributeValueMemberS{Value: string(fact) + "#"},
		},
	})
	if err != nil {
		return fmt.Errorf("look for the tokens of %s: %w", streamID, err)
	}
	var errs []error
	for _, wait := range out.Items {
		token, ok := wait["token"].(*types.AttributeValueMemberS)
		if !ok {
			errs = append(errs, fmt.Errorf("a wait of %s for %s has no token", streamID, fact))
			continue
		}
		errs = append(errs, t.answer(ctx, fact, token.Value))
	}
	return errors.Join(errs...)
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
