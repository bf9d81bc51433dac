package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"mapper/client/transport"
)

// A service that throttles the first request: the call goes on until it is answered.
func ExampleTransport_Do() {
	requests := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, "answer")
	}))
	defer service.Close()
	u, err := url.Parse(service.URL)
	if err != nil {
		panic(err)
	}

	t := transport.New(transport.Options{MaxInFlight: 4})
	defer t.CloseIdleConnections()
	reply, err := t.Do(context.Background(), &transport.Call{
		Op:    "ask",
		URL:   u,
		Build: func(dst []byte) ([]byte, error) { return append(dst, "question"...), nil },
	}, nil)
	fmt.Println(string(reply.Body), err)
	fmt.Println(t.Stats().Requests, "requests,", t.Stats().Throttled, "throttled")
	// Output:
	// answer <nil>
	// 2 requests, 1 throttled
}
