package wiring

import (
	"time"

	"milepost/domain/notification"
	"milepost/internal/api/quota"
	"milepost/internal/effects/messenger"
	"milepost/internal/live"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/park"
	"milepost/internal/log/seal"
	"milepost/internal/notify/link"
	"milepost/internal/notify/outbox"
	"milepost/internal/notify/postman"
	"milepost/internal/quotes/access"
	"milepost/internal/quotes/draft"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/schemas"
)

// Keys returns those of the customers. They need CUSTOMER_KEYS_TABLE_NAME and WRAPPING_KEY_ARN.
func (s *System) Keys() *seal.Keys {
	if s.keys == nil {
		s.keys = &seal.Keys{
			DB: s.DynamoDB(), KMS: s.KMS(),
			Table: s.Required("CUSTOMER_KEYS_TABLE_NAME"), WrappingKey: s.Required("WRAPPING_KEY_ARN"),
		}
	}
	return s.keys
}

func (s *System) searchTokens() *readmodel.Tokens {
	if s.tokens == nil {
		s.tokens = &readmodel.Tokens{KMS: s.KMS(), Key: s.Required("SEARCH_KEY_ARN")}
	}
	return s.tokens
}

// Log returns the log. It needs EVENTS_TABLE_NAME.
func (s *System) Log() *eventstore.Store {
	return &eventstore.Store{DB: s.DynamoDB(), Table: s.Required("EVENTS_TABLE_NAME"), Validate: schemas.ValidateEvent}
}

// Quotes returns the quotes of the log, without snapshots. It needs what Log and Keys need.
func (s *System) Quotes() *quotestore.Store { return &quotestore.Store{Log: s.Log(), Keys: s.Keys()} }

// QuotesWithSnapshots returns Quotes for callers that send commands. It needs SNAPSHOTS_TABLE_NAME as well.
func (s *System) QuotesWithSnapshots() *quotestore.Store {
	quotes := s.Quotes()
	quotes.Snapshots = s.Snapshots()
	return quotes
}

// Snapshots returns the snapshots of quotes. It needs SNAPSHOTS_TABLE_NAME.
func (s *System) Snapshots() *quotestore.Snapshots {
	return &quotestore.Snapshots{DB: s.DynamoDB(), Table: s.Required("SNAPSHOTS_TABLE_NAME"), Logger: s.Logger}
}

// Projections returns all projections. It needs what Documents and Search need.
func (s *System) Projections() *readmodel.Store {
	all := s.Search()
	all.Quotes = s.Documents().Quotes
	return all
}

// Unsearched returns Projections without those by which quotes are found. It needs what Documents and Lines need.
func (s *System) Unsearched() *readmodel.Store {
	unsearched := s.Lines()
	unsearched.Quotes = s.Documents().Quotes
	return unsearched
}

// Documents returns the projections of single quotes alone. It needs QUOTES_TABLE_NAME.
func (s *System) Documents() *readmodel.Store {
	return &readmodel.Store{DB: s.DynamoDB(), Quotes: s.Required("QUOTES_TABLE_NAME")}
}

// Lines returns the customers' lists of quotes alone. It needs CUSTOMER_QUOTES_TABLE_NAME.
func (s *System) Lines() *readmodel.Store {
	return &readmodel.Store{DB: s.DynamoDB(), CustomerQuotes: s.Required("CUSTOMER_QUOTES_TABLE_NAME")}
}

// Search returns Lines that can also find quotes by a term. It needs QUOTE_SEARCH_TABLE_NAME and SEARCH_KEY_ARN as
// well.
func (s *System) Search() *readmodel.Store {
	search := s.Lines()
	search.QuoteSearch, search.Tokens = s.Required("QUOTE_SEARCH_TABLE_NAME"), s.searchTokens()
	return search
}

// Drafts returns the quotes in the making. They need DRAFTS_TABLE_NAME and what Quotes and Lines need.
func (s *System) Drafts() *draft.Store {
	quotes := s.Quotes()
	quotes.OfCustomer = s.Lines().Newest
	return &draft.Store{DB: s.DynamoDB(), Table: s.Required("DRAFTS_TABLE_NAME"), Keys: s.Keys(), MakeKey: quotes.MakeKey}
}

// Quota returns the counters of what customers request. It needs QUOTAS_TABLE_NAME, QUOTES_PER_DAY, OPEN_QUOTES and
// LOOKUPS_PER_DAY.
func (s *System) Quota() *quota.Store {
	return &quota.Store{
		DB: s.DynamoDB(), Table: s.Required("QUOTAS_TABLE_NAME"),
		PerDay: s.Number("QUOTES_PER_DAY"), Open: s.Number("OPEN_QUOTES"), Lookups: s.Number("LOOKUPS_PER_DAY"),
	}
}

// Archive returns the bucket with the archive of all events. It needs ARCHIVE_BUCKET_NAME.
func (s *System) Archive() archive.Bucket {
	return archive.Bucket{S3: s.S3(), Name: s.Required("ARCHIVE_BUCKET_NAME")}
}

// Parking returns where stream records go that cannot be handled. It needs STREAM_FAILURES_QUEUE_URL.
func (s *System) Parking() *park.Lot {
	return &park.Lot{SQS: s.SQS(), Queue: s.Required("STREAM_FAILURES_QUEUE_URL"), Logger: s.Logger}
}

// Alerts returns a messenger for alerts to staff alone. It needs ALERTS_TOPIC_ARN.
func (s *System) Alerts() *messenger.Messenger {
	return messenger.New(s.aws, "", s.Required("ALERTS_TOPIC_ARN"))
}

// Outbox returns the notifications. It needs NOTIFICATIONS_TABLE_NAME and what Keys needs.
func (s *System) Outbox() *outbox.Store {
	return &outbox.Store{DB: s.DynamoDB(), Table: s.Required("NOTIFICATIONS_TABLE_NAME"), Keys: s.Keys()}
}

// Postman returns what sends notifications. It needs what Quotes and Outbox need, MAIL_FROM, ALERTS_TOPIC_ARN,
// LINK_BASE_URL, LINK_KEY, PREMIUM_ALERT_ABOVE in dollars and REFERRAL_ALERT_HOURS.
func (s *System) Postman() *postman.Postman {
	links := s.Links()
	links.Base = s.Required("LINK_BASE_URL")
	return postman.New(
		s.Quotes(), s.Outbox(), messenger.New(s.aws, s.Required("MAIL_FROM"), s.Required("ALERTS_TOPIC_ARN")),
		links,
		notification.Thresholds{Premium: s.Amount("PREMIUM_ALERT_ABOVE")},
		time.Duration(s.Number("REFERRAL_ALERT_HOURS"))*time.Hour,
	)
}

// Links returns what checks the links in messages. It needs LINK_KEY. LINK_KEY_BEFORE may name the key that signed
// links before it.
func (s *System) Links() link.Signer {
	return link.Signer{Keys: link.Keys(s.Required("LINK_KEY"), s.Optional("LINK_KEY_BEFORE"))}
}

// Tickets returns the tickets of connections. They need LIVE_TICKETS_TABLE_NAME.
func (s *System) Tickets() *live.Tickets {
	return &live.Tickets{DB: s.DynamoDB(), Table: s.Required("LIVE_TICKETS_TABLE_NAME")}
}

// Connections returns the connections of pages. They need LIVE_CONNECTIONS_TABLE_NAME.
func (s *System) Connections() *live.Connections {
	return &live.Connections{DB: s.DynamoDB(), Table: s.Required("LIVE_CONNECTIONS_TABLE_NAME")}
}

// Accesses returns the record of who revealed personal data. It needs ACCESSES_TABLE_NAME and ACCESS_RETENTION_DAYS.
func (s *System) Accesses() *access.Store {
	return &access.Store{DB: s.DynamoDB(), Table: s.Required("ACCESSES_TABLE_NAME"), Kept: time.Duration(s.Number("ACCESS_RETENTION_DAYS")) * 24 * time.Hour}
}
