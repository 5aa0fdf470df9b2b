@concurrent
Feature: Device masks and splits
  A pool runs on the GPUs it names, and on no other.

  @ORCH-3011 @OC-POOL-3020
  Scenario: A mask is shown as it was given, with the UUIDs behind it
    Given a node
    And the pool "chat" with
      | devices | [3, 1] |
    Then the pool "chat" becomes ready
    And the pool "chat" shows
      | device_mask | "3,1" |
      | gpu_device  | 3     |
    And the GPUs of pool "chat" are named by UUID

  @ORCH-3011 @OC-POOL-3020
  Scenario: An unknown GPU blocks the pool; it is not put on another one
    Given a node
    And the pool "chat" with
      | devices | [42] |
    Then the pool "chat" becomes offline.blocked because of gpu_missing
    And the reason of pool "chat" says "42"
    And the pool "chat" has no run record

  @ORCH-3011
  Scenario: The mask outlives the daemon
    Given a node of its own
    And the pool "chat" with
      | devices | [1] |
    And the pool "chat" becomes ready
    When the daemon is killed
    And the daemon starts
    Then the pool "chat" becomes ready
    And the pool "chat" shows
      | device_mask | "1" |

  @OC-POOL-3021 @ORCH-3052
  Scenario Outline: Shares that are none are refused
    Given a node
    When a pool is declared with
      | id           | split            |
      | engine       | llamacpp         |
      | model        | /m.gguf          |
      | devices      | [0, 1]           |
      | tensor_split | <split>          |
    Then the answer is <status>
    And the answer names "tensor_split"

    Examples:
      | split         | status |
      | [0.5, 0.6]    | 422    |
      | [1]           | 422    |
      | [1.5, -0.5]   | 422    |

  @OC-POOL-3021 @ORCH-3052
  Scenario: A share that does not fit its GPU is refused, though the others have room
    Given a node of its own with 2 simulated GPUs of 1 GiB
    And the pool "first" is ready
    And the pool "second" with
      | devices      | [0, 1]     |
      | tensor_split | [0.9, 0.1] |
    Then the pool "second" becomes offline.blocked because of insufficient_vram
