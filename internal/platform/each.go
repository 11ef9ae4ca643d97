package platform

import (
	"errors"
	"sync"
)

// Each calls fn with each item, some at a time, and joins the errors. One that fails does not hold up the others.
func Each[T any](items []T, atATime int, fn func(T) error) error {
	errs := make([]error, len(items))
	free := make(chan struct{}, atATime)
	var running sync.WaitGroup
	for i, item := range items {
		free <- struct{}{}
		running.Go(func() {
			errs[i] = fn(item)
			<-free
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
