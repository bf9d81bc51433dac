package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Start serves on a TCP address, by default 127.0.0.1 with a free port, and returns the base URL to reach it.
//
// stop lets the requests in progress finish, until ctx ends; then it cuts them off and returns the error of ctx.
// It must be called, once.
func (s *Sandbox) Start(addr string) (baseURL string, stop func(ctx context.Context) error, err error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("sandbox: %w", err)
	}
	unused := newConns()
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ConnState: unused.track}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	stop = func(ctx context.Context) error {
		unused.close()
		err := server.Shutdown(ctx)
		if err != nil {
			_ = server.Close() // what it would say is of the connections that it cuts off
		}
		if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	}
	return "http://" + reachable(listener.Addr().(*net.TCPAddr)), stop, nil
}

// reachable returns the address to dial for one to listen on, which may be "all of them".
func reachable(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return addr.String()
}

// conns holds the connections on which nothing has been asked yet. Clients open such ones in reserve, and
// Shutdown would wait for each of them for five seconds.
type conns struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

func newConns() *conns { return &conns{open: map[net.Conn]struct{}{}} }

func (c *conns) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state != http.StateNew {
		delete(c.open, conn)
		return
	}
	if c.closed {
		_ = conn.Close()
		return
	}
	c.open[conn] = struct{}{}
}

func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close()
	}
}
