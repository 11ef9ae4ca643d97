package quote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// Tokens keeps the task tokens of waiting branches and answers them.
type Tokens struct {
	db *dynamodb.Client
	// table is the name of the table of waits.
	table     string
	workflows *sfn.Client
	logger    *slog.Logger
}

// newTokens returns the Tokens of a system. They need WAITS_TABLE_NAME.
func newTokens(s *wiring.System) *Tokens {
	return &Tokens{db: s.DynamoDB(), table: s.Required("WAITS_TABLE_NAME"), workflows: s.StepFunctions(), logger: s.Logger}
}

// tokenLife is how long a token is kept: well beyond the timeout of the branch that waits.
const tokenLife = 24 * time.Hour

// wait is one branch that waits for a fact of a revision.
type wait struct {
	revision, reversal int
	fact               quote.Fact
	token              string
}

// over reports whether the wait is over: the fact is known, or no longer needed.
func (w wait) over(q quote.Quote) bool {
	return w.revision != q.Number || w.reversal != q.Reversal || !q.Status.IsOpen() || q.Knows(w.fact)
}

// keep stores the token of a branch. A retried task has a new token, which replaces the old one.
func (t *Tokens) keep(ctx context.Context, streamID string, w wait, now time.Time) error {
	_, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.table,
		Item: stored.Item{
			"streamId":  stored.Text(streamID),
			"branch":    stored.Text(fmt.Sprintf("%d#%d#%s", w.revision, w.reversal, w.fact)),
			"revision":  stored.Number(w.revision),
			"reversal":  stored.Number(w.reversal),
			"fact":      stored.Text(string(w.fact)),
			"token":     stored.Text(w.token),
			"expiresAt": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Add(tokenLife).Unix(), 10)},
		},
	})
	if err != nil {
		return fmt.Errorf("keep the token of %s: %w", streamID, err)
	}
	return nil
}

// Wake answers the branches of a quote's workflows whose wait is over. If none waits it does nothing: a branch has been
// answered, has timed out, or will read the log itself.
func (t *Tokens) Wake(ctx context.Context, q quote.Quote) error {
	streamID := quotestore.StreamID(q.ID)
	pages := dynamodb.NewQueryPaginator(t.db, &dynamodb.QueryInput{
		TableName: &t.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("streamId = :stream"),
		ExpressionAttributeValues: stored.Item{":stream": stored.Text(streamID)},
	})
	var errs []error
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("look for the tokens of %s: %w", streamID, err)
		}
		for _, item := range page.Items {
			w, err := waitOf(item)
			if err != nil {
				// It is ignored: its branch times out, and the quote is referred.
				t.logger.ErrorContext(ctx, "damaged wait", "stream_id", streamID, "error", err.Error())
				continue
			}
			if w.over(q) {
				errs = append(errs, t.answer(ctx, w))
			}
		}
	}
	return errors.Join(errs...)
}

// waitOf reads a stored wait. Its key says what it is for, so only the token may be missing.
func waitOf(item stored.Item) (w wait, err error) {
	r := stored.Read(item)
	branch := r.Text("branch")
	w.token = r.Text("token")
	if n, err := fmt.Sscanf(strings.ReplaceAll(branch, "#", " "), "%d %d %s", &w.revision, &w.reversal, &w.fact); n != 3 || err != nil {
		r.Fail("branch", "a revision, a reversal and a fact")
	}
	return w, r.Err()
}

// answer settles a token. One that is settled already is fine.
func (t *Tokens) answer(ctx context.Context, w wait) error {
	output, err := json.Marshal(struct {
		Fact     quote.Fact `json:"fact"`
		TimedOut bool       `json:"timedOut"`
	}{Fact: w.fact})
	if err != nil {
		return err
	}
	_, err = t.workflows.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &w.token, Output: aws.String(string(output))})
	if _, settled := errors.AsType[*sfntypes.TaskTimedOut](err); settled {
		return nil
	}
	if _, gone := errors.AsType[*sfntypes.TaskDoesNotExist](err); gone {
		return nil
	}
	if _, damaged := errors.AsType[*sfntypes.InvalidToken](err); damaged {
		t.logger.ErrorContext(ctx, "damaged wait", "fact", w.fact, "revision", w.revision, "error", "the token is missing")
		return nil
	}
	if err != nil {
		return fmt.Errorf("answer the branch that waits for %s: %w", w.fact, err)
	}
	return nil
}
