@clock @OC-POOL-3011 @fault-24
Feature: Circuit breaker
  What crashes again and again is left alone for minutes.

  Scenario: The eighth start within ten minutes opens it, which is told
    Given a pool on a clock
    When its engine fails to start 7 times
    Then it shows the reason engine_exited
    When its wait is over
    And its engine fails to start 1 time
    Then it shows the reason crash_loop
    And it waits 5 minutes, moved by a quarter at most
    And 8 starts were made in all

  Scenario: Half open, it lets exactly one start through, and a failure doubles the wait
    Given a pool on a clock
    When its engine fails to start 8 times
    And its wait is over
    And its engine fails to start 1 time
    Then 9 starts were made in all
    And it shows the reason crash_loop
    And it waits 10 minutes, moved by a quarter at most
    When its wait is over
    And its engine fails to start 1 time
    Then it waits 20 minutes, moved by a quarter at most
    And nothing of it was against the rules, and its journal tells the same story

  Scenario: A minute of service closes it
    Given a pool on a clock
    When its engine fails to start 8 times
    And its wait is over
    And it becomes ready and stays so for 60 seconds
    And its engine ends with engine_exited
    Then it shows the reason engine_exited
    And it waits 60 seconds, moved by a quarter at most

  Scenario: Less than a minute does not
    Given a pool on a clock
    When its engine fails to start 8 times
    And its wait is over
    And it becomes ready and stays so for 59 seconds
    And its engine ends with engine_exited
    Then it shows the reason crash_loop

  Scenario: A person closes it by hand
    Given a pool on a clock
    When its engine fails to start 8 times
    And it is started by hand
    Then it is being started
    When its engine fails to start 1 time
    Then it shows the reason engine_exited
    And it waits 1 second, moved by a quarter at most
