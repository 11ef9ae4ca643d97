package web

import (
	"errors"
	"net/http"
	"strings"

	"milepost/internal/page"
	"milepost/internal/session"
)

// signedIn puts the signed-in person into the context of each request. Assets need none.
func (h *web) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.sessions == nil || strings.HasPrefix(r.URL.Path, page.AssetsPath) {
			next.ServeHTTP(w, r)
			return
		}
		r, err := h.sessions.Of(w, r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *web) signIn(w http.ResponseWriter, r *http.Request) error {
	return signInProblem(w, h.sessions.SignIn(w, r))
}

func (h *web) signInDone(w http.ResponseWriter, r *http.Request) error {
	return signInProblem(w, h.sessions.Callback(w, r))
}

// signInProblem words why a sign-in failed.
func signInProblem(w http.ResponseWriter, err error) error {
	f, ok := errors.AsType[*session.Failure](err)
	if !ok {
		return err
	}
	if f.Err != nil {
		page.Fail(w, f)
	}
	return &Problem{Type: "/problems/sign-in", Title: "You are not signed in", Status: http.StatusForbidden, Detail: f.Why + " Please sign in again."}
}

// signOut ends the session here, then at the issuer. A form cannot lead there, because the pages' policy forbids it; a
// page can.
func (h *web) signOut(w http.ResponseWriter, r *http.Request) error {
	next, err := h.sessions.SignOut(w, r)
	if err != nil {
		return err
	}
	f := page.Frame{Title: "Signed out"}
	return h.render(w, r, http.StatusOK, "signed-out.html", f, next)
}
