// Package live knows who listens to what happens to quotes: the connections of pages, and the topics that they follow.
//
// A connection begins with a ticket, which the pages' function issues to the signed-in person: good once, and for a
// short time. Who holds the connection is what the ticket says; nothing of it comes from the browser.
package live

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// The bounds.
const (
	// TicketLife is how long a ticket is good.
	TicketLife = 30 * time.Second
	// MaxConnections is how many connections a person has at the most, and MaxTopics how many topics each follows.
	MaxConnections = 20
	MaxTopics      = 10
	// lifetime is how long a connection is remembered: API Gateway ends it after two hours.
	lifetime = 2*time.Hour + 10*time.Minute
)

// Holder is who holds a ticket or a connection.
type Holder struct {
	Subject string
	Scopes  []string
	// Agency is a broker's, "" of anybody else.
	Agency string
}

// Has reports whether the holder has a scope.
func (h Holder) Has(scope string) bool { return slices.Contains(h.Scopes, scope) }

// ErrTicket says that a ticket is not good: it was never issued, was used before, or is too old.
var ErrTicket = errors.New("the ticket is not valid")

// ErrGone says that there is no such connection.
var ErrGone = errors.New("there is no such connection")

// TooMany says that a bound is reached.
type TooMany struct {
	What string
	Most int
}

func (e *TooMany) Error() string { return fmt.Sprintf("at most %d %s are allowed", e.Most, e.What) }

// Tickets is the table of tickets. It keeps the hash of each, so that who reads the table can use none.
type Tickets struct {
	DB    *dynamodb.Client
	Table string
}

// Issue makes a ticket for a person. It costs one write request unit.
func (t *Tickets) Issue(ctx context.Context, h Holder, now time.Time) (string, error) {
	ticket := rand.Text()
	item := holderItem(h)
	item["ticketHash"], item["expiresAt"] = stored.Text(hash(ticket)), stored.Number(int(now.Add(TicketLife).Unix()))
	_, err := t.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &t.Table, Item: item})
	if err != nil {
		return "", fmt.Errorf("issue a ticket: %w", err)
	}
	return ticket, nil
}

// Redeem returns who holds a ticket, which is good no longer then. The error is ErrTicket if it is not good.
func (t *Tickets) Redeem(ctx context.Context, ticket string, now time.Time) (Holder, error) {
	out, err := t.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.Table, Key: stored.Item{"ticketHash": stored.Text(hash(ticket))}, ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return Holder{}, fmt.Errorf("redeem a ticket: %w", err)
	}
	if len(out.Attributes) == 0 {
		return Holder{}, ErrTicket
	}
	r := stored.Read(out.Attributes)
	h := readHolder(r)
	if expires := r.Number("expiresAt"); r.Err() != nil || now.Unix() >= int64(expires) {
		return Holder{}, ErrTicket
	}
	return h, nil
}

func hash(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return hex.EncodeToString(sum[:])
}

func holderItem(h Holder) stored.Item {
	item := stored.Item{"subject": stored.Text(h.Subject), "scopes": stored.Text(strings.Join(h.Scopes, " "))}
	if h.Agency != "" {
		item["agency"] = stored.Text(h.Agency)
	}
	return item
}

func readHolder(r stored.Reader) Holder {
	return Holder{Subject: r.Text("subject"), Scopes: strings.Fields(r.Text("scopes")), Agency: r.OptionalText("agency")}
}

// Desk is the topic of the referrals.
const Desk = "desk"

// Quote returns the topic of a quote.
func Quote(quoteID string) string { return "quote:" + quoteID }

// Customer returns the topic of all quotes of a customer.
func Customer(customerID string) string { return "customer:" + customerID }

func connection(id string) string  { return "connection:" + id }
func person(subject string) string { return "person:" + subject }

// Connections is the table of connections and of what they follow: an item for each topic of a connection. Those of
// the topic "connection:…" say who holds it, those of "person:…" which a person has.
type Connections struct {
	DB    *dynamodb.Client
	Table string
}

// Open keeps a new connection. The error is *TooMany if the person has too many. It costs two write request units and
// a query.
func (c *Connections) Open(ctx context.Context, id string, h Holder, now time.Time) error {
	item := holderItem(h)
	item["topic"], item["connectionId"] = stored.Text(connection(id)), stored.Text(id)
	item["expiresAt"] = stored.Number(int(now.Add(lifetime).Unix()))
	if _, err := c.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &c.Table, Item: item}); err != nil {
		return fmt.Errorf("keep a connection: %w", err)
	}
	if err := c.put(ctx, person(h.Subject), id, now); err != nil {
		return err
	}
	// Counting afterwards keeps the bound also between connections that open at the same time.
	others, err := c.Followers(ctx, person(h.Subject), now)
	if err != nil {
		return err
	}
	if len(others) > MaxConnections {
		return errors.Join(&TooMany{"connections of one person", MaxConnections}, c.Close(ctx, id))
	}
	return nil
}

// Holder returns who holds a connection, or ErrGone.
func (c *Connections) Holder(ctx context.Context, id string) (Holder, error) {
	out, err := c.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &c.Table, Key: key(connection(id), id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return Holder{}, fmt.Errorf("read a connection: %w", err)
	}
	if len(out.Item) == 0 {
		return Holder{}, ErrGone
	}
	r := stored.Read(out.Item)
	h := readHolder(r)
	return h, r.Err()
}

// Follow lets a connection follow a topic. The error is *TooMany if it follows too many, and ErrGone if there is no
// such connection.
func (c *Connections) Follow(ctx context.Context, id, topic string, now time.Time) error {
	_, err := c.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &c.Table, Key: key(connection(id), id),
		UpdateExpression:          aws.String("ADD topics :topic"),
		ConditionExpression:       aws.String("attribute_exists(topic) AND (attribute_not_exists(topics) OR size(topics) < :most OR contains(topics, :name))"),
		ExpressionAttributeValues: stored.Item{":topic": &types.AttributeValueMemberSS{Value: []string{topic}}, ":name": stored.Text(topic), ":most": stored.Number(MaxTopics)},
	})
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		if _, err := c.Holder(ctx, id); err != nil {
			return err
		}
		return &TooMany{"topics of one connection", MaxTopics}
	}
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	return c.put(ctx, topic, id, now)
}

func (c *Connections) put(ctx context.Context, topic, id string, now time.Time) error {
	item := key(topic, id)
	item["expiresAt"] = stored.Number(int(now.Add(lifetime).Unix()))
	if _, err := c.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &c.Table, Item: item}); err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	return nil
}

// Followers returns the connections that follow a topic.
func (c *Connections) Followers(ctx context.Context, topic string, now time.Time) ([]string, error) {
	var all []string
	pages := dynamodb.NewQueryPaginator(c.DB, &dynamodb.QueryInput{
		TableName: &c.Table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("topic = :topic"),
		FilterExpression:          aws.String("expiresAt > :now"),
		ExpressionAttributeValues: stored.Item{":topic": stored.Text(topic), ":now": stored.Number(int(now.Unix()))},
		ProjectionExpression:      aws.String("connectionId"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("who follows %s: %w", topic, err)
		}
		for _, item := range page.Items {
			all = append(all, stored.Read(item).Text("connectionId"))
		}
	}
	return all, nil
}

// Close forgets a connection with all that it follows. One that is not there is no error.
func (c *Connections) Close(ctx context.Context, id string) error {
	out, err := c.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &c.Table, Key: key(connection(id), id), ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		return fmt.Errorf("forget a connection: %w", err)
	}
	topics := []string{}
	if set, ok := out.Attributes["topics"].(*types.AttributeValueMemberSS); ok {
		topics = set.Value
	}
	if len(out.Attributes) > 0 {
		topics = append(topics, person(readHolder(stored.Read(out.Attributes)).Subject))
	}
	var failed []error
	for _, topic := range topics {
		if _, err := c.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &c.Table, Key: key(topic, id)}); err != nil {
			failed = append(failed, fmt.Errorf("forget a connection: %w", err))
		}
	}
	return errors.Join(failed...)
}

// Forget forgets that a connection follows a topic, whose gateway no longer knows it.
func (c *Connections) Forget(ctx context.Context, topic, id string) error {
	_, err := c.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &c.Table, Key: key(topic, id)})
	return errors.Join(err, c.Close(ctx, id))
}

func key(topic, id string) stored.Item {
	return stored.Item{"topic": stored.Text(topic), "connectionId": stored.Text(id)}
}
