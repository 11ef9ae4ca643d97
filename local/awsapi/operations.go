package awsapi

import "context"

// Operations are the operations of a service S, by name.
type Operations[S any] map[string]func(s S, ctx context.Context, body []byte) (any, error)

// Operation decodes what an operation is called with before the service answers it.
func Operation[S, In any](answer func(S, context.Context, In) (any, error)) func(S, context.Context, []byte) (any, error) {
	return func(s S, ctx context.Context, body []byte) (any, error) {
		var in In
		if err := Decode(body, &in); err != nil {
			return nil, err
		}
		return answer(s, ctx, in)
	}
}

// Call answers one operation of s, a service of this name. One that is not among them is Unsupported.
func (o Operations[S]) Call(ctx context.Context, s S, service, operation string, body []byte) (any, error) {
	answer, ok := o[operation]
	if !ok {
		return nil, Unsupported("the " + service + " operation " + operation)
	}
	return answer(s, ctx, body)
}
