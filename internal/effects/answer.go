package effects

import "milepost/domain/quote"

// Answer is the record in the form in which an event keeps it. subject is the vehicle or driver that was asked about;
// unavailable says why the reply could not be used; "" means the record's own reason, if it has one.
func (r Record) Answer(subject, unavailable string) quote.Answer {
	if unavailable == "" {
		unavailable = string(r.NoAnswer)
	}
	return quote.Answer{
		Subjects: []string{subject}, Provider: r.Party, AskedAt: r.AskedAt, Millis: r.DurationMS, Attempts: r.Attempts,
		RequestHash: r.RequestHash, Status: r.Status, Unavailable: unavailable, Reply: r.Reply, ReplyHash: r.ReplyHash,
	}
}
