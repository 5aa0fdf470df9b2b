@concurrent
Feature: Security

  @AUTH-1001
  Scenario: An address that others reach needs a token, and the refusal says what to set
    Given a node of its own
    When the daemon is started in vain with
      | POOL_MANAGERD_BIND_ADDR | 0.0.0.0:0 |
      | POOL_MANAGERD_ADDRESS   | http://10.0.0.1:9200 |
    Then it exits with 78
    And it says
      | LLORCH_API_TOKEN_FILE |

  @AUTH-1001
  Scenario: A token that is too short is none
    Given a node of its own
    When the daemon is started in vain with
      | POOL_MANAGERD_BIND_ADDR | 0.0.0.0:0 |
      | POOL_MANAGERD_ADDRESS   | http://10.0.0.1:9200 |
      | LLORCH_API_TOKEN        | short     |
    Then it exits with 78
    And it says
      | 16 characters |

  @AUTH-1001
  Scenario: With a token, everything but life signs is shut
    Given a node of its own with a token
    When a request is sent
      | path | /v2/pools |
    Then it is refused with 401 UNAUTHORIZED
    When a request is sent
      | path          | /v2/pools    |
      | authorization | Bearer wrong |
    Then it is refused with 401 UNAUTHORIZED
    When a request is sent
      | path | /health |
    Then the answer is 200
    When a request is sent with the token
      | path | /v2/pools |
    Then the answer is 200
    And the log of the daemon does not hold the token

  Scenario Outline: What comes in the wrong way is refused: <case>
    Given a node
    When a request is sent
      | method       | <method> |
      | path         | <path>   |
      | <header>     | <value>  |
      | body         | <body>   |
    Then it is refused with <status> <code>

    Examples:
      | case                  | method | path                       | header          | value                     | status | code                   | body |
      | a foreign host        | GET    | /v2/pools                  | host            | evil.example              | 421    | MISDIRECTED            |    |
      | a foreign page        | POST   | /v2/pools                  | origin          | http://evil.example       | 403    | FORBIDDEN_ORIGIN       |    |
      | a form                | POST   | /v2/pools                  | content-type    | text/plain                | 415    | UNSUPPORTED_MEDIA_TYPE | {} |
      | an unknown path       | GET    | /v2/nothing                | x-any           | y                         | 404    | NOT_FOUND              |    |
      | a wrong method        | DELETE | /health                    | x-any           | y                         | 405    | METHOD_NOT_ALLOWED     |    |
      | a path that climbs    | GET    | /v2/pools/..%2Fetc/status  | x-any           | y                         | 400    | INVALID_PARAMS         |    |
      | an id that is none    | GET    | /v2/pools/Pool_0/status    | x-any           | y                         | 400    | INVALID_PARAMS         |    |

  Scenario: A body that is too large is refused
    Given a node
    When a body of 70000 bytes is sent
    Then it is refused with 413 PAYLOAD_TOO_LARGE

  Scenario: An engine that others reach needs a key of its own
    Given a node
    When a pool is declared with
      | id      | sly                       |
      | engine  | llamacpp                  |
      | model   | /m.gguf                   |
      | devices | [0]                       |
      | host    | 0.0.0.0                   |
    Then it is refused with 422 INVALID_PARAMS
    And the answer names "api_key_file"
